"""The JSON Schema of outputs, held against what is taken and what is refused."""

from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipc.errors import FrameError
from stages.encodings import ENCODINGS
from stages.limits import Limits
from stages.operations import OPERATIONS
from stages.outputs import OPERATIONS_MAX, OUTPUTS_MAX, parse_outputs
from stages.schema import outputs_schema

LIMITS = Limits(max_side=1 << 20, max_pixels=1 << 40)
SCHEMA = outputs_schema()
VALIDATOR = jsonschema_rs.validator_for({"$defs": SCHEMA.definitions, **SCHEMA.outputs})
REQUIRED: dict[str, Any] = {
    "left": 0, "top": 0, "width": 1, "height": 1, "sigma": 1, "angle": 45, "color": [0, 0, 0], "overlay": "logo",
}  # fmt: skip
"""A value for each parameter that some operation cannot do without."""
VALUES = st.sampled_from(
    [None, True, 0, 1, 9, 80, 101, 2.5, "420", "keep", "cover", "left", "mirror", "logo", "x"]
) | st.lists(st.sampled_from([0, 1, 255, 256, "x"]), max_size=4)


def is_taken(outputs: object) -> bool:
    try:
        parse_outputs(msgspec.msgpack.encode(outputs), LIMITS, ("logo",))
    except FrameError:
        return False
    return True


@st.composite
def operations(draw: st.DrawFn) -> dict[str, Any]:
    """One that would be taken, but for one key at most."""
    name = draw(st.sampled_from([*OPERATIONS]))
    fields = msgspec.structs.fields(OPERATIONS[name])
    needed = {field.encode_name: REQUIRED[field.encode_name] for field in fields if field.required}
    keys = st.sampled_from([*(field.encode_name for field in fields), "width", "other"])
    return {"op": name, **needed, **draw(st.dictionaries(keys, VALUES, max_size=1))}


@st.composite
def outputs_of_one(draw: st.DrawFn) -> list[dict[str, Any]]:
    """As `operations`."""
    name = draw(st.sampled_from([*ENCODINGS]))
    keys = st.sampled_from([*msgspec.structs.fields(ENCODINGS[name]), *msgspec.structs.fields(ENCODINGS["jpeg"])])
    options = draw(st.dictionaries(keys.map(lambda field: field.encode_name), VALUES, max_size=1))
    return [{"format": name, "operations": draw(st.lists(operations(), max_size=2)), **options}]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(outputs_of_one())
def test_what_is_taken_is_allowed_by_the_schema(outputs: list[dict[str, Any]]) -> None:
    assert VALIDATOR.is_valid(outputs) or not is_taken(outputs)


@pytest.mark.parametrize(
    "outputs",
    [
        [],
        [{}] * (OUTPUTS_MAX + 1),
        [{"operations": [{"op": "flip"}] * (OPERATIONS_MAX + 1)}],
        [{"operations": [{"op": "flop", "angle": 1}]}],
        [{"operations": [{"op": "resize", "width": 0}]}],
        [{"operations": [{"op": "extract", "left": 0}]}],
        [{"operations": [{}]}],
        [{"quality": 101}],
        [{"format": "bmp"}],
        [{"format": "png", "quality": 80}],
        [{"format": "raw", "metadata": "keep"}],
        "all",
    ],
)
def test_what_is_refused_by_its_form_is_not_allowed_by_the_schema(outputs: object) -> None:
    assert not is_taken(outputs)
    assert not VALIDATOR.is_valid(outputs)


@pytest.mark.parametrize(
    "outputs",
    [
        [{}] * OUTPUTS_MAX,
        [{"operations": [{"op": "resize", "width": 9, "position": [0, 0.5]}], "background": [1, 2, 3, 4]}],
        [{"operations": [{"op": "composite", "overlay": "logo"}, {"op": "trim"}], "format": "webp", "effort": 0}],
    ],
)
def test_what_is_taken_in_full_is_allowed_by_the_schema(outputs: object) -> None:
    assert is_taken(outputs)
    assert VALIDATOR.is_valid(outputs)


def test_every_definition_says_what_it_is_in_plain_lines() -> None:
    for definition in SCHEMA.definitions.values():
        assert definition["description"]
        assert "\n    " not in definition["description"]
