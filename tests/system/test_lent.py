"""Frames that are lent: the same results as of frames that are sent, once each, and nothing left when they are done."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from omnishotd.client import Client, ClientClosed, Output, Resize, Result
from omnishotd.client.segment import NAME_PREFIX
from tests.daemon import Daemon
from tests.lent import FOLDER, FRAME_BYTES, PREFIX, SIDE, Borrowing, Segment, workers
from tests.neighbour import neighbour
from tests.numbered import number_of, number_of_jpeg, numbered_jpeg, numbered_pixels
from tests.photographs import photograph, photograph_image
from tests.waiting import eventually

pytestmark = [pytest.mark.usefixtures("resource_tracker"), pytest.mark.timeout(90)]

SMALL: Final = Output(Resize(96, 64, fit="fill"), quality=90)
FULL: Final = Output(quality=90)
MANY: Final = 300
PHOTOGRAPH: Final = np.asarray(photograph_image("rocket.jpg"))
LAYOUTS: Final[dict[str, Any]] = {
    "GRAY": PHOTOGRAPH[..., 1],
    "RGB": PHOTOGRAPH,
    "BGR": PHOTOGRAPH[..., ::-1],
    "RGBA": np.dstack([PHOTOGRAPH, PHOTOGRAPH[..., 0]]),
    "BGRA": np.dstack([PHOTOGRAPH[..., ::-1], PHOTOGRAPH[..., 0]]),
}


@pytest.fixture(scope="module")
def outputs() -> list[Output]:
    """Full size and small, encoded and raw: with and without a step that may write where it reads."""
    return [Output(quality=80), SMALL, Output(format="raw"), Output(Resize(50, 50), format="raw")]


def held(pid: int, prefix: str) -> tuple[int, int]:
    """How many descriptors a process has of segments of such a name, and how many mappings."""
    descriptors = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        # One that is closed meanwhile is not held.
        with suppress(FileNotFoundError):
            descriptors += str(link.readlink()).startswith(f"{FOLDER}/{prefix}")
    return descriptors, Path(f"/proc/{pid}/maps").read_text().count(f"{FOLDER}/{prefix}")


def pictures(result: Result) -> list[bytes]:
    return [picture.data for picture in result.outputs]


@pytest.mark.parametrize("whole_frame_pixels_max", [0, 1 << 22], ids=["each stage by itself", "all in one worker"])
def test_results_of_what_is_lent_are_those_of_what_is_sent(
    daemon_with: Callable[..., Daemon], outputs: list[Output], whole_frame_pixels_max: int
) -> None:
    daemon = daemon_with(f"pipeline.whole_frame_pixels_max={whole_frame_pixels_max}")
    with Client(daemon.endpoint) as client, client.lend(2 << 20, count=3) as lent:
        for layout, pixels in LAYOUTS.items():
            sent = client.process(pixels, layout=layout, outputs=outputs)  # type: ignore[arg-type]  # one of its names
            image = lent.image(pixels)
            borrowed = client.process(image, layout=layout, outputs=outputs)  # type: ignore[arg-type]  # as above
            assert pictures(borrowed) == pictures(sent), layout
            assert borrowed.input == sent.input
        for name in ("rocket.jpg", "chelsea.png"):
            data = photograph(name)
            assert pictures(client.process(lent.image(data), outputs=outputs)) == pictures(
                client.process(data, outputs=outputs)
            )

    daemon.frames_at_rest(2 * (len(LAYOUTS) + 2))
    assert daemon.metrics()["restarts"]["total"] == 0


def test_camera_that_lends_few_buffers_gets_every_frame_once_with_its_own_picture(daemon: Daemon) -> None:
    futures: list[Future[Result]] = []
    with Client(daemon.endpoint) as client, client.lend(320 * 240 * 3, count=4) as lent, neighbour(daemon) as beside:
        for number in range(MANY):
            image = lent.take((240, 320, 3))
            image.array[...] = numbered_pixels(number, 320, 240)
            futures.append(client.submit(image, outputs=SMALL))
            futures.append(client.submit(lent.image(numbered_jpeg(number + 5000, 160, 120)), outputs=SMALL))
        numbers = [number_of_jpeg(future.result(20).outputs[0].data) for future in futures]
        served = beside.served

    assert numbers[::2] == list(range(MANY))
    assert numbers[1::2] == list(range(5000, 5000 + MANY))
    frames = daemon.frames_at_rest(2 * MANY + served)
    assert frames["completed"] == frames["received"]
    assert daemon.metrics()["restarts"]["total"] == 0


def test_pixels_are_read_in_place_and_nothing_is_held_of_them_when_the_segment_is_gone(daemon: Daemon) -> None:
    (broker,) = daemon.pids("broker")
    pids = [broker, *workers(daemon)]
    with Client(daemon.endpoint) as client, client.lend(1080 * 1920 * 3, count=4) as lent:
        frame = numbered_pixels(9, 1920, 1080)
        for _ in range(8):
            assert number_of_jpeg(client.process(lent.image(frame), outputs=SMALL).outputs[0].data) == 9
        in_use = {pid: held(pid, f"{NAME_PREFIX}{os.getpid()}") for pid in pids}
    left = dict.fromkeys(pids, (0, 0))

    assert in_use[broker] == (1, 0)
    assert any(mappings for _, mappings in in_use.values())
    eventually(
        lambda: {pid: held(pid, f"{NAME_PREFIX}{os.getpid()}") for pid in pids} == left,
        within_s=10.0,
        what="nothing is held",
    )


def test_thousand_segments_of_one_producer_are_all_read_and_few_are_open_at_a_time(daemon: Daemon) -> None:
    (broker,) = daemon.pids("broker")
    pids = [broker, *workers(daemon)]
    most = dict.fromkeys(pids, (0, 0))
    with Borrowing(daemon) as producer:
        for number in range(1000):
            with Segment([number]) as segment:
                assert producer.ask(segment.place(), id=f"{number}").number == number
                if number % 20 == 0:
                    most = {pid: max(most[pid], held(pid, PREFIX)) for pid in pids}
        left = dict.fromkeys(pids, (0, 0))
        eventually(lambda: {pid: held(pid, PREFIX) for pid in pids} == left, within_s=10.0, what="all are closed again")

    assert 1 <= most[broker][0] <= 16
    # A mapping has a descriptor of its own.
    assert max(descriptors for descriptors, _ in most.values()) <= 16
    assert max(mappings for _, mappings in most.values()) <= 8
    daemon.frames_at_rest(1000)


def test_broker_that_is_killed_while_frames_are_lent_finds_them_again(daemon: Daemon) -> None:
    (broker,) = daemon.pids("broker")
    frames = [numbered_pixels(number, 1600, 1200) for number in range(12)]
    with Client(daemon.endpoint, timeout_s=40) as client, client.lend(frames[0].nbytes, count=12) as lent:
        images = [lent.image(frame) for frame in frames]
        futures = [client.submit(image, outputs=FULL) for image in images]
        futures[0].result()
        os.kill(broker, signal.SIGKILL)
        numbers = [number_of_jpeg(future.result().outputs[0].data) for future in futures]
        resent = client.counters().resent
        # The ring is whole: every buffer serves again.
        again = [client.submit(lent.image(frame), outputs=SMALL) for frame in frames]
        numbers_again = [number_of_jpeg(future.result().outputs[0].data) for future in again]

    assert numbers == numbers_again == list(range(12))
    assert resent > 0


def test_frames_that_are_lent_when_the_client_closes_leave_nothing(daemon: Daemon) -> None:
    client = Client(daemon.endpoint)
    lent = client.lend(1600 * 1200 * 3, count=8)
    futures = [client.submit(lent.image(numbered_pixels(1, 1600, 1200)), outputs=SMALL) for _ in range(8)]
    client.ping()
    client.close()
    lent.close()
    outcomes = [type(future.exception(0)) for future in futures]

    assert set(outcomes) <= {ClientClosed, type(None)}
    daemon.frames_at_rest(8)


def test_same_place_under_the_same_id_is_executed_once_and_under_another_again(daemon: Daemon) -> None:
    with Borrowing(daemon) as producer, Segment([3, 4]) as segment:
        replies = [producer.ask(segment.place(0), id="same", client="c") for _ in range(2)]
        other = producer.ask(segment.place(1), id="same", client="c")
        traces = {reply.header["trace"] for reply in replies}
        another = producer.ask(segment.place(0), id="another", client="c")

    assert [reply.number for reply in replies] == [3, 3]
    assert len(traces) == 1
    assert other.error.startswith("CONFLICT: ")
    assert another.header["trace"] not in traces


def test_info_tells_whether_lending_is_there(daemon: Daemon) -> None:
    with Client(daemon.endpoint) as client:
        assert client.info().limits["lent_segments"] == 16


def test_frame_of_the_smallest_size_lies_anywhere(daemon: Daemon) -> None:
    """Offsets need not be those of pages."""
    with Borrowing(daemon) as producer, Segment() as segment:
        for offset in (0, 1, 4095, 4097, 12_345):
            pixels = numbered_pixels(offset, SIDE, SIDE).tobytes()
            segment.path.write_bytes(b"\xff" * offset + pixels)
            answer = producer.ask({"segment": segment.name, "offset": offset, "bytes": FRAME_BYTES}, id=str(offset))
            assert answer.number == offset
    assert number_of(numbered_pixels(12_345, SIDE, SIDE)) == 12_345
