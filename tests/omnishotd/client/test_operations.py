"""Outputs and operations, held against the stages' own declarations."""

import msgspec
import pytest

from omnishotd.client.operations import (
    AutoOrient,
    Extract,
    Flip,
    Flop,
    Grayscale,
    Operation,
    Output,
    Resize,
    Rotate,
    outputs_to_maps,
)
from stages.limits import Limits
from stages.operations import OPERATIONS
from stages.outputs import JpegEncoding, parse_outputs

LIMITS = Limits(max_side=16_383, max_pixels=50_000_000)
EACH: list[Operation] = [
    AutoOrient(),
    Extract(left=1, top=2, width=30, height=40),
    Flip(),
    Flop(),
    Grayscale(),
    Resize(width=300, height=200, fit="contain", position="left top", kernel="mitchell", background=(1, 2, 3)),
    Resize(width=300, without_enlargement=True, position=(0.25, 0.75)),
    Rotate(90),
]


@pytest.mark.parametrize("operation", EACH, ids=lambda each: each.OP)
def test_operation_is_what_the_stages_take(operation: Operation) -> None:
    output = Output(operation, quality=70, subsampling="444", background=(9, 8, 7))
    parsed = parse_outputs(msgspec.msgpack.encode(outputs_to_maps(output)), LIMITS)[0]

    assert parsed.encoding == JpegEncoding(quality=70, subsampling="444", background=(9, 8, 7))
    assert type(parsed.operations[0]) is OPERATIONS[operation.OP]
    told = msgspec.to_builtins(parsed.operations[0])
    assert {key: told[key] for key in operation.to_map()} == msgspec.to_builtins(operation.to_map())


def test_every_operation_of_this_version_has_a_builder() -> None:
    assert {kind.OP for kind in Operation.__subclasses__()} == set(OPERATIONS)


def test_parameters_left_out_are_not_sent() -> None:
    assert Output(Resize(300), format="raw").to_map() == {
        "operations": [{"op": "resize", "width": 300}],
        "format": "raw",
    }


def test_plain_maps_may_stand_for_outputs_and_operations() -> None:
    blur = {"op": "blur", "sigma": 2.0}
    expected = {"operations": [blur, {"op": "flip"}], "format": "webp"}

    assert outputs_to_maps(Output(blur, Flip(), format="webp")) == [expected]
    assert outputs_to_maps({"operations": [blur, Flip()], "format": "webp"}) == [expected]
    assert outputs_to_maps([{"format": "webp"}]) == [{"format": "webp"}]
