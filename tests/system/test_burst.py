"""Memory that a burst of large pictures took goes back to the kernel soon after it."""

from collections.abc import Callable
from typing import Final

import psutil
import pytest

from omnishotd.client import Client
from tests.daemon import Daemon
from tests.photographs import photograph_jpeg
from tests.waiting import eventually

MIB: Final = 1 << 20
WORKERS: Final = ("decode", "transform", "encode")
LEFT_BYTES_MAX: Final = 16 * MIB
"""By process: what may be kept, and what it came to know."""


def resident_bytes(daemon: Daemon, *kinds: str) -> list[int]:
    """RSS of each process, the pages of the arena that it has touched among it."""
    return [psutil.Process(pid).memory_info().rss for kind in kinds for pid in daemon.pids(kind)]


@pytest.mark.timeout(90)
def test_memory_of_workers_is_back_within_seconds_of_a_burst(daemon_with: Callable[..., Daemon]) -> None:
    daemon = daemon_with("pipeline.whole_frame_pixels_max=0")
    large, huge = photograph_jpeg(3200), photograph_jpeg(5000)
    with Client(endpoint=daemon.endpoint) as client:
        # All workers know all that they will ever need to.
        for future in [client.submit(photograph_jpeg(400), preset="thumbnail") for _ in range(16)]:
            future.result(20)
        before = resident_bytes(daemon, *WORKERS)
        burst = [client.submit(large, preset="thumbnail") for _ in range(16)]
        burst += [client.submit(large, outputs=[{"format": "jpeg"}]) for _ in range(8)]
        burst += [client.submit(huge, outputs=[{"operations": [{"op": "rotate", "angle": 90}]}])]
        for future in burst:
            future.result(60)
        after = resident_bytes(daemon, *WORKERS)

        def is_back() -> bool:
            left = [now - then for now, then in zip(resident_bytes(daemon, *WORKERS), before, strict=True)]
            return max(left) <= LEFT_BYTES_MAX

        assert sum(after) - sum(before) > 200 * MIB
        eventually(is_back, within_s=10.0, what="each process holds about what it did before")


@pytest.mark.timeout(90)
def test_memory_of_the_broker_is_back_within_seconds_of_a_burst(daemon_with: Callable[..., Daemon]) -> None:
    # By stages, so that payloads come to lie all over the arena.
    daemon = daemon_with("pipeline.whole_frame_pixels_max=0")
    large = photograph_jpeg(3200)

    def submit(count: int) -> None:
        # Thumbnails: replies that are remembered are small.
        with Client(endpoint=daemon.endpoint, in_flight_max=count) as client:
            for future in [client.submit(large, preset="thumbnail") for _ in range(count)]:
                future.result(60)

    submit(2)
    [before] = resident_bytes(daemon, "broker")
    submit(48)
    [after] = resident_bytes(daemon, "broker")

    assert after - before > 2 * LEFT_BYTES_MAX
    eventually(
        lambda: resident_bytes(daemon, "broker")[0] - before <= LEFT_BYTES_MAX,
        within_s=10.0,
        what="the broker holds about what it did before",
    )
