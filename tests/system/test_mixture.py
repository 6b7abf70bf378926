"""Large and small together, in a real daemon: all are answered, and small ones do not stand behind large ones."""

from collections.abc import Callable
from typing import Any, Final

import psutil
import pytest

from omnishotd.client import Client
from stages.worker import NICENESS
from tests.daemon import Daemon
from tests.photographs import photograph_jpeg
from tests.waiting import eventually

LARGE: Final = 8
SMALL: Final = 40
WITHIN_S: Final = 60.0
NICENESS_BY_POOL: Final = {"decode": 0, "transform": NICENESS, "encode": NICENESS}
FULL_SIZE: Final[list[dict[str, Any]]] = [{"operations": [{"op": "resize", "width": 3000, "height": 3000}]}]
"""Of 25 megapixels: decoded at full size, which takes 106 of the arena's 160 MiB, so that there is room for one."""


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("assignments", "outputs"),
    [([], None), (["memory.arena_mb=160"], FULL_SIZE)],
    ids=["thumbnails of all", "an arena with room for one large frame"],
)
def test_small_frames_do_not_stand_behind_large_ones_and_all_are_answered(
    daemon_with: Callable[..., Daemon], assignments: list[str], outputs: list[dict[str, Any]] | None
) -> None:
    daemon = daemon_with(*assignments)
    large, small = photograph_jpeg(5000, progressive=True), photograph_jpeg(400)
    came: list[str] = []
    wanted: dict[str, Any] = {"preset": "thumbnail"} if outputs is None else {"outputs": outputs}
    with Client(endpoint=daemon.endpoint) as one, Client(endpoint=daemon.endpoint) as other:
        # From now on small ones are about.
        other.process(small, preset="thumbnail")
        futures = [one.submit(large, priority=9, **wanted) for _ in range(LARGE)]
        for future in futures:
            future.add_done_callback(lambda _: came.append("large"))
        for _ in range(SMALL):
            futures.append(other.submit(small, priority=0, preset="thumbnail"))
            futures[-1].add_done_callback(lambda _: came.append("small"))
        for future in futures:
            assert future.result(WITHIN_S).outputs

    assert {kind: next(psutil.Process(pid).nice() for pid in daemon.pids(kind)) for kind in NICENESS_BY_POOL} == (
        NICENESS_BY_POOL
    )
    last_small = len(came) - 1 - came[::-1].index("small")
    assert came[:last_small].count("large") <= LARGE // 2
    frames = daemon.frames_at_rest(1 + LARGE + SMALL)
    assert (frames["completed"], frames["failed"], frames["rejected"]) == (1 + LARGE + SMALL, 0, 0)

    def told() -> Any:
        distribution = daemon.get("/api/services/health")[1]["distribution"]
        return distribution if distribution["by_stages"] == LARGE else None

    distribution = eventually(told, within_s=5.0, what="operators see that large ones passed by stages")
    assert distribution["whole"] == 1 + SMALL
    assert distribution["whole_frame_pixels_max"] == "auto"
    assert (distribution["heavy_waiting"], distribution["heavy_in_work"], distribution["arena_kept_bytes"]) == (0, 0, 0)
    assert 0 < distribution["hand_over_ms"] < distribution["spread_from_ms"]


@pytest.mark.timeout(120)
def test_large_frames_alone_have_all_workers_that_decode(daemon_with: Callable[..., Daemon]) -> None:
    daemon = daemon_with("pipeline.pools=[{stages=['decode'],workers=3},{stages=['transform','encode'],workers=1}]")
    large = photograph_jpeg(5000, progressive=True)
    with Client(endpoint=daemon.endpoint) as client:
        futures = [client.submit(large, preset="thumbnail") for _ in range(9)]

        def are_all_busy() -> bool:
            services = daemon.get("/api/services/health")[1]["services"]
            return all(service["busy"] for service in services if service["kind"] == "decode")

        eventually(are_all_busy, within_s=20.0, what="three workers decode at once")
        assert all(future.result(WITHIN_S).outputs for future in futures)
