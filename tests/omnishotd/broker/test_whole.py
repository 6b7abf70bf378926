"""Where the pixels of whole frames lie, and that their steps are those of frames whose steps are made one by one."""

from typing import Any

import pytest

from ipc.messages import Decode, Encode, Step, Transform
from ipc.pixels import Geometry, Layout
from ipc.scratch import SCRATCH, SCRATCH_BYTES
from omnishotd.broker.whole import whole_of
from tests.omnishotd.broker.arena import assert_apart
from tests.omnishotd.broker.rig import (
    KEPT,
    LAID,
    PLAIN,
    RAW_IN,
    RAW_OUT,
    SMALLER,
    TRIMMED,
    Rig,
    make_settings,
    picture,
)

WHOLE_PIXELS_MAX = 1 << 22


def steps_of(outputs: list[dict[str, Any]], *, whole_frame_pixels_max: int, **keys: Any) -> list[Step]:
    """All steps of one frame, in the order in which its workers take them."""
    payload = bytes(32 * 16 * 3) if "input" in keys else picture(64)
    rig = Rig(make_settings(whole_frame_pixels_max=whole_frame_pixels_max))
    rig.submit("f", payload, outputs, **keys)
    steps: list[Step] = []
    while rig.held:
        steps += rig.held[0].task.steps
        rig.answer(rig.held[0])
    assert rig.replies("f") == ["ok"]
    return steps


@pytest.mark.parametrize("outputs", [[PLAIN], [SMALLER, PLAIN], [SMALLER, RAW_OUT, TRIMMED], [KEPT], [LAID, SMALLER]])
@pytest.mark.parametrize("keys", [{}, {"input": RAW_IN}])
def test_whole_frame_touches_of_the_arena_only_what_the_broker_wrote(
    outputs: list[dict[str, Any]], keys: dict[str, Any]
) -> None:
    steps = steps_of(outputs, whole_frame_pixels_max=WHOLE_PIXELS_MAX, **keys)

    for step in steps:
        if not isinstance(step, Encode):
            assert step.target.segment == SCRATCH
        if isinstance(step, Decode):
            assert step.source.segment == 0
    results = [step.target for step in steps if isinstance(step, Transform)]
    decoded = [step.target for step in steps if isinstance(step, Decode)]
    for result in results:
        assert_apart([*decoded, result])


@pytest.mark.parametrize("outputs", [[PLAIN], [SMALLER, PLAIN], [SMALLER, RAW_OUT, SMALLER], [KEPT]])
def test_whole_frame_is_done_by_the_same_steps_as_one_that_is_not(outputs: list[dict[str, Any]]) -> None:
    def what(step: Step) -> tuple[object, ...]:
        if isinstance(step, Decode):
            return "decode", step.geometry
        if isinstance(step, Transform):
            return "transform", step.geometry, step.nominal, step.operations, step.result, step.is_open
        return "encode", step.geometry, step.output, step.options, step.is_open

    whole = steps_of(outputs, whole_frame_pixels_max=WHOLE_PIXELS_MAX)
    staged = steps_of(outputs, whole_frame_pixels_max=0)

    assert sorted(map(repr, map(what, whole))) == sorted(map(repr, map(what, staged)))


def test_each_output_is_encoded_from_where_the_step_before_left_it() -> None:
    decode, *others = steps_of([SMALLER, PLAIN, SMALLER], whole_frame_pixels_max=WHOLE_PIXELS_MAX)

    assert isinstance(decode, Decode)
    assert [type(step) for step in others] == [Transform, Encode, Encode, Transform, Encode]
    assert [step.source for step in others] == [
        decode.target,
        others[0].target if isinstance(others[0], Transform) else None,
        decode.target,
        decode.target,
        others[3].target if isinstance(others[3], Transform) else None,
    ]


def test_frame_that_needs_more_than_the_scratch_lies_in_the_arena() -> None:
    fits = Geometry(SCRATCH_BYTES // 3 // 1024, 1024, Layout.RGB)
    too_large = Geometry(SCRATCH_BYTES // 3 // 1024 + 1, 1024, Layout.RGB)

    assert whole_of(fits, (), is_raw=False) is not None
    assert whole_of(too_large, (), is_raw=False) is None
    assert whole_of(too_large, (), is_raw=True) is not None
