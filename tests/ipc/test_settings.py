"""What plain settings say beyond their fields."""

from typing import Any, Literal

import pytest

from ipc.settings import PipelineSettings, PoolSettings, SupervisorSettings
from ipc.stage import STAGES, Stage


@pytest.mark.parametrize("hang_timeout_ms", [500, 1500, 4000, 5000, 600_000])
def test_sign_of_life_comes_several_times_before_its_absence_is_a_hang(hang_timeout_ms: int) -> None:
    settings = SupervisorSettings(restarts_max=0, restart_window_s=1.0, hang_timeout_ms=hang_timeout_ms)

    assert 0 < settings.beat_interval_ms <= 1000
    assert settings.beat_interval_ms * 4 <= hang_timeout_ms


def pipeline(whole_frame_pixels_max: int | Literal["auto"], *pools: str) -> PipelineSettings:
    bounds: dict[str, Any] = dict.fromkeys(
        ("max_concurrent_jobs", "queue_limit", "queue_max_bytes", "queue_timeout_ms", "stage_timeout_ms"), 1
    )
    return PipelineSettings(
        pools=[PoolSettings(stages=pool.split("+"), workers=1) for pool in pools],
        whole_frame_pixels_max=whole_frame_pixels_max,
        drain_timeout_ms=1,
        **bounds,
    )


def test_who_decodes_runs_all_stages_unless_no_frame_is_whole() -> None:
    for pixels_max, stages in (("auto", list(STAGES)), (1, list(STAGES)), (0, [Stage.DECODE])):
        settings = pipeline(pixels_max, "decode", "transform", "encode")  # type: ignore[arg-type]  # one of them is
        assert settings.stages_run_by(settings.pools[0]) == settings.stages_known_by(settings.pools[0]) == stages


def test_who_transforms_knows_how_to_decode_heavy_frames_and_is_not_counted_among_those_who_do() -> None:
    settings = pipeline(0, "decode", "transform+encode")

    assert settings.stages_run_by(settings.pools[1]) == [Stage.TRANSFORM, Stage.ENCODE]
    assert settings.stages_known_by(settings.pools[1]) == [Stage.DECODE, Stage.TRANSFORM, Stage.ENCODE]
    assert pipeline(0, "decode+transform", "encode").stages_known_by(PoolSettings(stages=["encode"], workers=1)) == [
        Stage.ENCODE
    ]


def test_pools_that_decode_nothing_see_heavy_frames_only_where_all_light_ones_are_whole() -> None:
    pools = ("decode", "transform", "encode")

    assert [pipeline("auto", *pools).is_for_heavy_frames([pool]) for pool in pools] == [False, True, True]
    assert [pipeline(1 << 22, *pools).is_for_heavy_frames([pool]) for pool in pools] == [False, False, False]
