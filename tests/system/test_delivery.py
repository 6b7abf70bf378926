"""Every frame is answered once, with its own picture: counted, from four producers at once."""

import threading
from dataclasses import dataclass, field
from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import numpy as np
import psutil
import pytest
import zmq

from tests.daemon import Daemon, connect
from tests.numbered import number_of, number_of_jpeg, numbered_jpeg, numbered_pixels
from tests.waiting import eventually

FRAMES = 2000
WARM_FRAMES = 200
PRODUCERS = 4
IN_FLIGHT = 16
ANSWER_WITHIN_MS = 60_000
SIDES = [32, 48, 100, 200, 317, 400, 640, 800]
LARGE_SIDES = [1600, 3200]


@dataclass
class Ledger:
    """What one producer sent, and what came back."""

    answered: dict[int, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def request(number: int) -> tuple[dict[str, Any], bytes, tuple[int, int]]:
    """Make frame `number`: header, payload, and the size wanted back. Every twelfth is tiny, every hundredth large."""
    header: dict[str, Any] = {"v": 1, "id": str(number), "client": f"producer-{number % PRODUCERS}"}
    if number % 12 == 0:
        pixel = np.array([number & 255, number >> 8, 255 - (number & 255)], np.uint8)
        header["input"] = {"format": "raw", "width": 1, "height": 1, "layout": "RGB"}
        header["outputs"] = [{"format": "raw"}]
        return header, pixel.tobytes(), (1, 1)
    if number % 12 == 6:
        header["input"] = {"format": "raw", "width": 64, "height": 48, "layout": "RGB"}
        header["outputs"] = [{"operations": [{"op": "flip"}, {"op": "flip"}], "format": "raw"}]
        return header, numbered_pixels(number, 64, 48).tobytes(), (64, 48)
    side = LARGE_SIDES[number // 100 % 2] if number % 100 == 1 else SIDES[number % len(SIDES)]
    size = (side, side)
    operations = []
    if side >= 100 and number % 2:
        size = (96, 64)
        operations = [{"op": "resize", "width": 96, "height": 64, "fit": "fill"}]
    header["outputs"] = [{"operations": operations, "quality": 90}]
    return header, numbered_jpeg(number, side, side), size


def check(number: int, header: dict[str, Any], parts: list[bytes], size: tuple[int, int]) -> str:
    """Say what is wrong with a reply, or nothing."""
    if header["status"] != "ok":
        return f"frame {number}: {header['error']}"
    output = header["outputs"][0]
    if (output["width"], output["height"]) != size or len(parts) != 1 or len(parts[0]) != output["bytes"]:
        return f"frame {number}: {output} and {len(parts)} parts, wanted {size}"
    if output["format"] == "jpeg":
        found = number_of_jpeg(parts[0])
    elif size == (1, 1):
        found = parts[0][0] | parts[0][1] << 8
    else:
        found = number_of(np.frombuffer(parts[0], np.uint8).reshape(size[1], size[0], 3))
    return "" if found == number else f"frame {number} carries the picture of {found}"


def produce(daemon: Daemon, kind: int, numbers: range, ledger: Ledger) -> None:
    """Be one producer: a REQ asks one at a time, a DEALER keeps many in flight."""
    window = 1 if kind == zmq.REQ else IN_FLIGHT
    waiting = list(reversed(numbers))
    sizes: dict[int, tuple[int, int]] = {}
    with zmq.Context() as context, connect(context, daemon.endpoint, kind) as socket:
        socket.rcvtimeo = ANSWER_WITHIN_MS
        while waiting or sizes:
            while waiting and len(sizes) < window:
                number = waiting.pop()
                header, payload, sizes[number] = request(number)
                socket.send_multipart([msgpack.packb(header), payload])
            parts = socket.recv_multipart()
            reply = msgpack.unpackb(parts[0])
            number = int(reply["id"])
            ledger.answered[number] = ledger.answered.get(number, 0) + 1
            fault = check(number, reply, parts[1:], sizes.pop(number, (0, 0)))
            if fault:
                ledger.faults.append(fault)
        # Anything that is still on its way would be a second answer.
        assert socket.poll(200) == 0


def open_descriptors(daemon: Daemon) -> dict[int, int]:
    return {pid: psutil.Process(pid).num_fds() for pid in daemon.all_pids()}


def produce_all(daemon: Daemon, numbers: range) -> list[Ledger]:
    """Have four producers, two of each kind of socket, send their shares at the same time."""
    ledgers = [Ledger() for _ in range(PRODUCERS)]
    threads = [
        threading.Thread(
            target=produce,
            args=[daemon, zmq.REQ if index % 2 else zmq.DEALER, numbers[index::PRODUCERS], ledgers[index]],
        )
        for index in range(PRODUCERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ledgers


@pytest.mark.timeout(300)
def test_2000_numbered_frames_of_all_sizes_are_each_answered_once_with_their_own_picture(daemon: Daemon) -> None:
    ledgers = produce_all(daemon, range(WARM_FRAMES))
    daemon.frames_at_rest(WARM_FRAMES)
    # By now every process has all its connections; producers' own may still be closing.
    open_before = open_descriptors(daemon)
    ledgers += produce_all(daemon, range(WARM_FRAMES, FRAMES))

    assert [fault for ledger in ledgers for fault in ledger.faults] == []
    answered = {number: times for ledger in ledgers for number, times in ledger.answered.items()}
    assert answered == dict.fromkeys(range(FRAMES), 1)
    frames = daemon.frames_at_rest(FRAMES)
    assert (frames["received"], frames["completed"], frames["failed"], frames["rejected"]) == (FRAMES, FRAMES, 0, 0)

    assert daemon.metrics()["restarts"]["total"] == 0, daemon.log

    def those_that_hold_more() -> dict[int, tuple[int, int | None]]:
        now = open_descriptors(daemon)
        return {pid: (held, open_before.get(pid)) for pid, held in now.items() if held > open_before.get(pid, 0)}

    eventually(lambda: not those_that_hold_more(), within_s=5.0, what="no process holds more descriptors than before")
