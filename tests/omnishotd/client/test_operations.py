"""Operations, held against the stages' own declarations."""

from collections.abc import Iterable
from dataclasses import MISSING, fields
from typing import Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest

from omnishotd.client import operations
from omnishotd.client.operations import (
    AutoOrient,
    Blur,
    Composite,
    Extend,
    Extract,
    Flatten,
    Flip,
    Flop,
    Gamma,
    Grayscale,
    Linear,
    Median,
    Modulate,
    Negate,
    Normalise,
    Operation,
    Resize,
    Rotate,
    Sharpen,
    Threshold,
    Tint,
    Trim,
)
from omnishotd.client.outputs import Output
from omnishotd.client.parameters import wire_name
from stages.limits import Limits
from stages.operations import OPERATIONS
from stages.outputs import parse_outputs

LIMITS = Limits(max_side=16_383, max_pixels=50_000_000)
KINDS = [kind for kind in vars(operations).values() if isinstance(kind, type) and Operation in kind.__bases__]
EACH: list[Operation] = [
    AutoOrient(),
    Blur(2.5),
    Composite("logo", gravity="right bottom", opacity=0.5, scale=0.25),
    Composite("logo", left=10, top=20),
    Composite("logo", tile=True),
    Extend(top=1, bottom=2, left=3, right=4, background=(1, 2, 3, 128)),
    Extend(top=5, fill="mirror"),
    Extract(left=1, top=2, width=30, height=40),
    Flatten((1, 2, 3)),
    Flip(),
    Flop(),
    Gamma(2.2),
    Grayscale(),
    Linear(a=1.2, b=-10),
    Median(5),
    Modulate(brightness=1.1, saturation=0.5, hue=-90, lightness=5),
    Negate(),
    Normalise(lower=1, upper=99),
    Resize(width=300, height=200, fit="contain", position="left top", kernel="mitchell", background=(1, 2, 3)),
    Resize(width=300, without_enlargement=True, position=(0.25, 0.75)),
    Resize(300, 300, position="entropy"),
    Resize(300, 300, position="attention"),
    Rotate(90),
    Rotate(-12.5, background=(255, 255, 255, 0)),
    Sharpen(sigma=1.5, amount=0.8, threshold=2),
    Threshold(128),
    Tint((255, 240, 16)),
    Trim(threshold=12, background=(255, 255, 255)),
]


def words(annotation: object) -> Iterable[object]:
    """Every value of every Literal in a type."""
    for part in get_args(annotation):
        if get_origin(annotation) is Literal:
            yield part
        else:
            yield from words(part)


@pytest.mark.parametrize("operation", EACH, ids=repr)
def test_operation_is_what_the_stages_take(operation: Operation) -> None:
    parsed = parse_outputs(msgspec.msgpack.encode([Output(operation).to_map()]), LIMITS, ["logo"])[0].operations[0]

    assert type(parsed) is OPERATIONS[operation.OP]
    told = msgspec.to_builtins(parsed)
    assert {key: told[key] for key in operation.to_map()} == msgspec.to_builtins(operation.to_map())


def test_every_operation_of_the_client_has_an_example_here() -> None:
    assert {type(operation) for operation in EACH} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.OP)
def test_operation_has_the_parameters_that_the_stages_declare(kind: type[Operation]) -> None:
    """One that only the stages have is no fault: a plain mapping asks for it."""
    declared = msgspec.structs.fields(OPERATIONS[kind.OP])
    required = {each.encode_name for each in declared if each.required}

    assert {wire_name(each) for each in fields(kind)} == {each.encode_name for each in declared}
    assert {wire_name(each) for each in fields(kind) if each.default is MISSING} == required


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.OP)
def test_words_of_an_operation_are_words_of_the_stages(kind: type[Operation]) -> None:
    taken = {each.encode_name: set(words(each.type)) for each in msgspec.structs.fields(OPERATIONS[kind.OP])}
    offered = get_type_hints(kind)

    assert all(set(words(offered[each.name])) <= taken[wire_name(each)] for each in fields(kind))
