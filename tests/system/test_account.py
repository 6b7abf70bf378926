"""What operators are shown is what producers have counted: with errors of six kinds, and workers killed in between."""

import itertools
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import psutil
import pytest
import zmq

from ipc.errors import ErrorCode
from omnishotd.client import Client
from tests.daemon import Daemon, connect
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.waiting import eventually

FRAMES = 5000
IN_FLIGHT = 48
OUTPUTS = [{"operations": [{"op": "resize", "width": 48, "height": 32, "fit": "fill"}], "quality": 90}]
REJECTED = {
    "BAD_REQUEST", "UNSUPPORTED_VERSION", "UNKNOWN_PRESET", "TOO_LARGE", "UNSUPPORTED_FORMAT", "BUSY", "CONFLICT",
}  # fmt: skip

Parts = list[bytes]


def _headed(number: int, **keys: Any) -> bytes:
    header = {"v": 1, "id": str(number), "client": "counter", "outputs": OUTPUTS, **keys}
    packed: bytes = msgpack.packb({key: value for key, value in header.items() if value is not None})
    return packed


def _good(number: int) -> Parts:
    return [_headed(number), numbered_jpeg(number, 96, 64)]


MAKERS: dict[int, tuple[str, Callable[[int], Parts]]] = {
    1: ("BAD_REQUEST", lambda number: [_headed(number, priority=99), numbered_jpeg(number, 96, 64)]),
    2: ("UNKNOWN_PRESET", lambda number: [_headed(number, outputs=None, preset="nosuch"), b"x"]),
    3: ("TOO_LARGE", lambda number: [_headed(number), bytes(70_000)]),
    4: ("UNSUPPORTED_FORMAT", lambda number: [_headed(number), b"BM" + bytes(200)]),
    5: ("BAD_IMAGE", lambda number: [_headed(number), numbered_jpeg(number, 96, 64)[:-40]]),
    6: ("CONFLICT", lambda number: [_headed(0), numbered_jpeg(number, 96, 64)]),
}
"""By the last digit of a frame's number: which error it must get, and how it is made. All others are good."""


def exchange(daemon: Daemon, kill_at: set[int]) -> Counter[str]:
    """Send all frames, kill a decode worker each time so many are answered, and count the replies by their code."""
    counted: Counter[str] = Counter()
    with zmq.Context() as context, connect(context, daemon.endpoint) as socket:
        socket.rcvtimeo = 20_000
        sent = 0
        while counted.total() < FRAMES:
            while sent < FRAMES and sent - counted.total() < IN_FLIGHT:
                _, make = MAKERS.get(sent % 10, ("ok", _good))
                socket.send_multipart(make(sent))
                sent += 1
            parts = socket.recv_multipart()
            reply: dict[str, Any] = msgpack.unpackb(parts[0])
            if reply["status"] == "ok":
                assert number_of_jpeg(parts[1]) == int(reply["id"])
                counted["ok"] += 1
            else:
                counted[reply["error"]["code"]] += 1
            if counted.total() in kill_at:
                victims = eventually(lambda: daemon.pids("decode"), within_s=5.0, what="a decode worker lives")
                os.kill(victims[0], signal.SIGKILL)
        assert socket.poll(300) == 0
    return counted


@pytest.mark.timeout(120)
@pytest.mark.parametrize("assignments", [("frames.max_frame_bytes=65536",)])
def test_figures_after_5000_frames_with_six_errors_and_two_killed_workers_are_the_producers_own(
    daemon_with: Callable[..., Daemon], assignments: tuple[str, ...]
) -> None:
    daemon = daemon_with(*assignments)
    counted = exchange(daemon, kill_at={1500, 3500})
    expected = Counter(MAKERS.get(number % 10, ("ok", _good))[0] for number in range(FRAMES))
    assert counted == expected

    frames = daemon.frames_at_rest(FRAMES)
    metrics = daemon.metrics()
    errors = {code: count for code, count in counted.items() if code != "ok"}
    assert set(errors) <= set(ErrorCode)
    assert metrics["errors"] == errors
    assert frames["received"] == FRAMES
    assert frames["completed"] == counted["ok"]
    assert frames["rejected"] == sum(count for code, count in errors.items() if code in REJECTED)
    assert frames["failed"] == sum(count for code, count in errors.items() if code not in REJECTED)
    assert metrics["restarts"] == {"total": 2, "by_cause": {"crash": 2}}


@pytest.mark.timeout(60)
def test_figures_survive_the_death_of_broker_and_control_plane(daemon: Daemon) -> None:
    def done() -> int:
        completed: int = daemon.metrics()["frames"]["completed"]
        return completed

    numbers = itertools.count()

    def submit(count: int) -> None:
        with zmq.Context() as context, connect(context, daemon.endpoint) as socket:
            socket.rcvtimeo = 20_000
            for number in itertools.islice(numbers, count):
                socket.send_multipart(_good(number))
            for _ in range(count):
                assert msgpack.unpackb(socket.recv_multipart()[0])["status"] == "ok"

    def kill(kind: str) -> None:
        victim = psutil.Process(daemon.pids(kind)[0])
        victim.kill()
        eventually(lambda: not victim.is_running() and bool(daemon.pids(kind)), within_s=5.0, what=f"{kind} is back")
        eventually(daemon.is_ready_again, within_s=10.0, what=f"frames are taken after the end of {kind}")

    submit(100)
    eventually(lambda: done() == 100, within_s=5.0, what="the first are counted")
    kill("broker")
    submit(20)
    eventually(lambda: done() == 120, within_s=5.0, what="those of the next broker are counted with them")
    kill("control")
    eventually(lambda: done() == 120, within_s=5.0, what="the next control plane knows what the one before knew")
    submit(5)
    eventually(lambda: done() == 125, within_s=5.0, what="and goes on from there")


@pytest.mark.timeout(90)
def test_counters_never_sink_while_the_control_plane_is_killed_under_load(daemon: Daemon) -> None:
    eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
    stop = threading.Event()

    def load() -> None:
        with Client(endpoint=daemon.endpoint, in_flight_max=8) as client:
            while not stop.is_set():
                client.submit(numbered_jpeg(1, 96, 64), outputs=OUTPUTS)

    seen: list[list[int]] = []

    def look() -> bool:
        """Take all counters. False while nobody answers."""
        try:
            metrics = daemon.metrics()
        except OSError:
            return False
        stages = [stage["completed"] for stage in metrics["stages"].values()]
        seen.append([metrics["frames"]["received"], metrics["frames"]["completed"], *stages])
        return True

    loader = threading.Thread(target=load)
    loader.start()
    try:
        for _ in range(4):
            reached = len(seen) + 40
            eventually(lambda: look() and len(seen) >= reached, within_s=15.0, what="figures go on")  # noqa: B023
            os.kill(daemon.pids("control")[0], signal.SIGKILL)
        eventually(look, within_s=10.0, what="the control plane answers again")
    finally:
        stop.set()
        loader.join(30)

    for before, after in itertools.pairwise(seen):
        assert all(later >= earlier for earlier, later in zip(before, after, strict=True)), (before, after)
    assert seen[-1][0] > seen[0][0]
