"""Outputs whose size only a worker can tell: it is believed within the bounds that were planned."""

import pytest

from ipc.messages import Answer, Encode, Encoded, Extent, Transform
from ipc.pixels import Geometry, Layout
from ipc.stage import Stage
from tests.omnishotd.broker.rig import LAYOUTS, RAW_IN, SMALLER, TRIMMED, Held, Rig, make_settings, used_bytes

BOUND = Geometry(64, 64, Layout.RGB)
MADE = Geometry(32, 22, Layout.RGB)
"""What the rig's workers make of it."""


def at_stage(rig: Rig, stage: Stage) -> Held:
    """Answer what is held until a task of this stage is."""
    kinds: dict[Stage, type] = {Stage.TRANSFORM: Transform, Stage.ENCODE: Encode}
    while not isinstance(rig.held[0].task.steps[0], kinds[stage]):
        rig.answer(rig.held[0])
    return rig.held[0]


@pytest.mark.parametrize("whole_frame_pixels_max", [0, 64 * 64], ids=["by stages", "whole"])
@pytest.mark.parametrize("pools", LAYOUTS, ids="|".join)
def test_open_outputs_pass_every_layout_of_pools_and_are_told_as_they_were_made(
    pools: tuple[str, ...], whole_frame_pixels_max: int
) -> None:
    rig = Rig(make_settings(pools, whole_frame_pixels_max=whole_frame_pixels_max))
    rig.submit("f", outputs=[TRIMMED, SMALLER, TRIMMED])
    rig.finish()

    sides = [(output["width"], output["height"]) for output in rig.told[0].header["outputs"]]
    assert sides == [(MADE.width, MADE.height), (16, 16), (MADE.width, MADE.height)]
    assert used_bytes(rig) == 0


def test_open_output_has_room_for_all_that_it_can_be_and_the_encoder_is_told_what_it_is() -> None:
    rig = Rig()
    rig.submit("f", outputs=[TRIMMED])

    held = at_stage(rig, Stage.TRANSFORM)
    [transform] = held.task.steps
    assert isinstance(transform, Transform)
    assert (transform.is_open, transform.result, transform.target.bytes) == (True, BOUND, BOUND.bytes)
    rig.answer(held)
    [encode] = rig.held[0].task.steps
    assert isinstance(encode, Encode)
    assert (encode.is_open, encode.geometry) == (False, MADE)
    assert encode.source == Extent(transform.target.offset, MADE.bytes)


def test_open_output_that_is_encoded_by_the_same_task_is_told_as_a_bound() -> None:
    rig = Rig(make_settings(LAYOUTS[3]))
    rig.submit("f", outputs=[TRIMMED])

    encode = rig.held[0].task.steps[-1]
    assert isinstance(encode, Encode)
    assert (encode.is_open, encode.geometry, encode.source.bytes) == (True, BOUND, BOUND.bytes)


def test_task_ends_with_an_open_transform_or_has_none() -> None:
    rig = Rig(make_settings(LAYOUTS[1]))
    rig.submit("f", outputs=[TRIMMED, SMALLER, TRIMMED])

    while rig.held:
        steps = rig.held[0].task.steps
        assert not any(isinstance(step, Transform) and step.is_open for step in steps[:-1])
        rig.answer(rig.held[0])
    assert rig.replies("f") == ["ok"]


def test_open_output_of_raw_pixels_keeps_their_layout() -> None:
    rig = Rig()
    rig.submit("f", bytes(32 * 16 * 3), [TRIMMED], input=RAW_IN)
    rig.finish()

    [output] = rig.told[0].header["outputs"]
    assert (output["width"], output["height"]) == (16, 6)


@pytest.mark.parametrize(
    "made",
    [
        None,
        Geometry(65, 1, Layout.RGB),
        Geometry(1, 65, Layout.RGB),
        Geometry(0, 1, Layout.RGB),
        Geometry(1, -1, Layout.RGB),
        Geometry(8, 8, Layout.RGBA),
        Geometry(8, 8, Layout.BGR),
    ],
    ids=["nothing", "wider", "higher", "no columns", "less than nothing", "more channels", "other layout"],
)
def test_result_beyond_its_bound_is_internal_and_ends_the_frame(made: Geometry | None) -> None:
    rig = Rig()
    rig.submit("f", outputs=[TRIMMED])
    held = at_stage(rig, Stage.TRANSFORM)
    rig.say(held, Answer(held.task.lease, [1], [], None, made), [])

    assert rig.replies("f") == ["INTERNAL"]
    assert used_bytes(rig) == 0


def test_result_that_takes_more_than_its_room_is_internal() -> None:
    """Both sides may be within the bound, and the pixels over max_pixels all the same."""
    rig = Rig(make_settings(frames={"max_pixels": 64 * 64}))
    wider = {"operations": [{"op": "trim"}, {"op": "resize", "width": 80}]}
    rig.submit("f", outputs=[wider])
    held = at_stage(rig, Stage.TRANSFORM)
    [transform] = held.task.steps
    assert isinstance(transform, Transform)
    assert transform.target.bytes < transform.result.bytes

    rig.say(held, Answer(held.task.lease, [1], [], None, transform.result), [])
    assert rig.replies("f") == ["INTERNAL"]


@pytest.mark.parametrize("stage", [Stage.TRANSFORM, Stage.ENCODE])
def test_result_told_of_an_output_that_is_not_open_is_internal(stage: Stage) -> None:
    rig = Rig()
    rig.submit("f", outputs=[SMALLER])
    held = at_stage(rig, stage)
    rig.say(held, Answer(held.task.lease, [1], [], None, Geometry(16, 16, Layout.RGB)), [])

    assert rig.replies("f") == ["INTERNAL"]


@pytest.mark.parametrize(
    ("pools", "sides"), [(LAYOUTS[0], (31, 22)), (LAYOUTS[3], (65, 1)), (LAYOUTS[3], (1, 65)), (LAYOUTS[3], (0, 1))]
)
def test_picture_of_another_size_than_was_made_is_internal(pools: tuple[str, ...], sides: tuple[int, int]) -> None:
    rig = Rig(make_settings(pools))
    rig.submit("f", outputs=[TRIMMED])
    while not isinstance(rig.held[0].task.steps[-1], Encode):
        rig.answer(rig.held[0])
    held = rig.held[0]
    encoded = [Encoded(0, "jpeg", *sides, 80)]
    rig.say(held, Answer(held.task.lease, [1] * len(held.task.steps), encoded), [b"x"])

    assert rig.replies("f") == ["INTERNAL"]
    assert used_bytes(rig) == 0


def test_frame_that_is_made_again_is_measured_again() -> None:
    rig = Rig()
    rig.submit("f", outputs=[TRIMMED])
    encode = at_stage(rig, Stage.ENCODE)
    rig.die(encode.worker)
    held = at_stage(rig, Stage.TRANSFORM)
    smaller = Geometry(3, 2, Layout.RGB)
    rig.say(held, Answer(held.task.lease, [1], [], None, smaller), [])

    [step] = rig.held[0].task.steps
    assert isinstance(step, Encode)
    assert step.geometry == smaller
