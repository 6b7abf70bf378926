"""Which frames are whole, and what that goes by."""

from dataclasses import replace
from typing import Any

import pytest

from ipc.settings import PoolSettings
from ipc.stage import STAGES
from omnishotd.broker.frame import Frame
from omnishotd.broker.fusion import HAND_OVER_US_FIRST, HAND_OVERS, Fusion
from tests.omnishotd.broker.rig import PLAIN, SMALLER, START_US, Rig, make_frame, make_settings

POOLS = [PoolSettings(stages=[stage.value], workers=2) for stage in STAGES]
WORTH_US = 40_000
"""Work of a frame that is worth three hand-overs."""


def frame_of(outputs: int = 1, cost_us: int = WORTH_US, **fields: Any) -> Frame:
    frame = make_frame(0)
    frame.cost_us = cost_us
    frame.plan = replace(frame.plan, outputs=(None,) * outputs)  # type: ignore[arg-type]  # only counted
    for name, value in fields.items():
        setattr(frame, name, value)
    return frame


def canary_that_took(took_us: int) -> tuple[Frame, int]:
    """One whose steps took 5 ms, and when it came back."""
    canary = make_frame(0)
    canary.times.decode, canary.times.transform, canary.times.encode = 2_000, 1_000, 2_000
    return canary, START_US + took_us


def test_light_frame_of_one_output_is_whole_whatever_its_size() -> None:
    fusion = Fusion(POOLS, "auto")
    large = frame_of()
    large.plan = replace(large.plan, pixels=20_000_000)

    assert fusion.choose(large, 0)
    assert fusion.choose(frame_of(cost_us=1), 0)


def test_heavy_frame_and_canary_pass_by_stages() -> None:
    for pixels_max in ("auto", 1 << 30):
        fusion = Fusion(POOLS, pixels_max)
        assert not fusion.choose(frame_of(is_heavy=True), 0)
        assert not fusion.choose(frame_of(is_canary=True), 0)


@pytest.mark.parametrize(
    ("outputs", "working", "cost_us", "is_whole"),
    [(2, 0, WORTH_US, False), (2, 1, WORTH_US, True), (1, 0, WORTH_US, True), (2, 0, WORTH_US // 10, True)],
    ids=["idle", "no core to spare", "one output", "not worth it"],
)
def test_several_outputs_are_spread_while_there_are_cores_and_it_is_worth_the_way(
    outputs: int, working: int, cost_us: int, is_whole: bool
) -> None:
    assert Fusion(POOLS, "auto").choose(frame_of(outputs, cost_us), working) == is_whole


@pytest.mark.parametrize(("pixels_max", "is_whole"), [(0, False), (63, False), (64, True)])
def test_number_of_pixels_decides_alone(pixels_max: int, is_whole: bool) -> None:
    assert Fusion(POOLS, pixels_max).choose(frame_of(2), 0) == is_whole


def test_cheaper_hand_over_counts_at_once_and_a_dearer_one_little_by_little() -> None:
    fusion = Fusion(POOLS, "auto")
    assert fusion.figures().hand_over_us == HAND_OVER_US_FIRST
    fusion.passed(*canary_that_took(5_000 + HAND_OVERS * 100))
    assert fusion.figures().hand_over_us == 100
    fusion.passed(*canary_that_took(5_000 + HAND_OVERS * 6_500))
    assert fusion.figures().hand_over_us == 200


def test_cheap_hand_overs_let_smaller_frames_be_spread() -> None:
    fusion = Fusion(POOLS, "auto")
    assert fusion.choose(frame_of(2, 20_000), 0)
    fusion.passed(*canary_that_took(5_000 + HAND_OVERS * 100))

    assert fusion.figures().spread_us_min == 10_000
    assert not fusion.choose(frame_of(2, 20_000), 0)


def test_frames_are_counted_as_they_were_done_and_canaries_are_not() -> None:
    rig = Rig(make_settings(whole_frame_pixels_max="auto"), heavy_us=20, canaries=True)
    rig.submit("light", outputs=[SMALLER], payload=None)
    rig.submit("heavy", outputs=[PLAIN, PLAIN])
    rig.finish()
    figures = rig.flow.ledger.fusion.figures()

    assert [rig.replies(name) for name in ("light", "heavy")] == [["ok"], ["ok"]]
    assert (figures.whole, figures.by_stages) == (1, 1)
    assert rig.flow.canary.figures().passed == 1
    assert figures.hand_over_us == 0, "the rig takes no time"


def test_light_frame_is_one_task_and_a_heavy_one_a_task_for_each_stage() -> None:
    rig = Rig(make_settings(whole_frame_pixels_max="auto"))
    steps: list[list[str]] = []
    for heavy_us in (1 << 30, 1):
        rig.flow.costs.heavy_us = heavy_us
        rig.submit(f"f{heavy_us}", outputs=[SMALLER])
        while rig.held:
            steps.append([type(step).__name__ for step in rig.held[0].task.steps])
            rig.answer(rig.held[0])

    assert steps == [["Decode", "Transform", "Encode"], ["Decode"], ["Transform"], ["Encode"]]
