"""Reading of a request's outputs: what is kept, and the key that each fault names."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipc.errors import ErrorCode, FrameError
from stages.limits import Limits
from stages.operations import OPERATIONS, decode_operations, encode_operations
from stages.operations.resize import Resize
from stages.operations.rotate import Rotate
from stages.outputs import JpegEncoding, Output, RawEncoding, decode_encoding, encode_encoding, parse_outputs

LIMITS = Limits(max_side=16383, max_pixels=50_000_000)


def parsed(*outputs: Any) -> tuple[Output, ...]:
    return parse_outputs(msgspec.msgpack.encode(outputs), LIMITS)


def refusal(*outputs: Any) -> FrameError:
    with pytest.raises(FrameError) as caught:
        parsed(*outputs)
    return caught.value


def test_parse_outputs_empty_map_is_jpeg_at_quality_80() -> None:
    assert parsed({}) == (Output((), JpegEncoding(quality=80, subsampling="420", background=(0, 0, 0))),)


def test_parse_outputs_everything_given_is_kept() -> None:
    resize = {
        "op": "resize", "width": 300, "height": 200, "fit": "contain", "position": [0.25, 1], "kernel": "area",
        "without_enlargement": True, "without_reduction": True, "background": [1, 2, 3, 4],
    }  # fmt: skip
    one, two = parsed(
        {"operations": [resize, {"op": "rotate", "angle": 90}], "format": "jpeg", "quality": 1, "subsampling": "444",
         "background": [255, 0, 255]},
        {"format": "raw", "operations": []},
    )  # fmt: skip

    assert one.operations == (
        Resize(300, 200, "contain", (0.25, 1.0), "area", True, True, (1, 2, 3, 4)),
        Rotate(90),
    )
    assert one.encoding == JpegEncoding(1, "444", (255, 0, 255))
    assert two == Output((), RawEncoding())


@pytest.mark.parametrize("position", ["north", "left bottom", "center"])
def test_parse_outputs_position_words_are_taken(position: str) -> None:
    (output,) = parsed({"operations": [{"op": "resize", "height": 2, "position": position}]})

    assert output.operations == (Resize(height=2, position=position),)  # type: ignore[arg-type]  # one of the literals


@pytest.mark.parametrize(
    ("output", "key", "word"),
    [
        (3, "outputs[0]: ", "object"),
        ({1: 2}, "outputs[0]: ", "strings"),
        ({"colour": 1}, "outputs[0].colour: ", "no such key"),
        ({"quality": 0}, "outputs[0].quality: ", ">= 1"),
        ({"quality": 101}, "outputs[0].quality: ", "<= 100"),
        ({"quality": "80"}, "outputs[0].quality: ", "int"),
        ({"quality": True}, "outputs[0].quality: ", "int"),
        ({"quality": 80.5}, "outputs[0].quality: ", "int"),
        ({"subsampling": "411"}, "outputs[0].subsampling: ", "420, 422, 444"),
        ({"background": [1, 2]}, "outputs[0].background: ", ">= 3"),
        ({"background": [1, 2, 256]}, "outputs[0].background[2]: ", "<= 255"),
        ({"format": 3}, "outputs[0].format: ", "str"),
        ({"format": "bmp"}, "outputs[0].format: ", "jpeg, raw"),
        ({"format": "raw", "quality": 80}, "outputs[0].quality: ", "does not belong to format raw"),
        ({"format": "raw", "background": [0, 0, 0]}, "outputs[0].background: ", "does not belong"),
        ({"lossless": True}, "outputs[0].lossless: ", "does not belong to format jpeg"),
        ({"progressive": True}, "outputs[0].progressive: ", "not supported by this version"),
        ({"max_bytes": 10_000}, "outputs[0].max_bytes: ", "not supported by this version"),
        ({"operations": {}}, "outputs[0].operations: ", "array"),
        ({"operations": [{}] * 65}, "outputs[0].operations: ", "<= 64"),
        ({"operations": [7]}, "outputs[0].operations[0]: ", "object"),
        ({"operations": [{}]}, "outputs[0].operations[0].op: ", "required"),
        ({"operations": [{"op": "blur"}]}, "outputs[0].operations[0].op: ", "auto_orient, extract"),
        ({"operations": [{"op": "flip", "angle": 1}]}, "outputs[0].operations[0].angle: ", "no such key"),
        ({"operations": [{"op": "extract", "left": 0}]}, "outputs[0].operations[0].top: ", "required"),
    ],
)
def test_parse_outputs_fault_names_its_key(output: Any, key: str, word: str) -> None:
    error = refusal(output)

    assert error.code is ErrorCode.BAD_REQUEST
    assert error.message.startswith(key), error.message
    assert word in error.message


@pytest.mark.parametrize(
    ("operation", "key", "word"),
    [
        ({"op": "resize"}, "width", "required"),
        ({"op": "resize", "width": 0}, "width", ">= 1"),
        ({"op": "resize", "width": -3}, "width", ">= 1"),
        ({"op": "resize", "width": 1.5}, "width", "int"),
        ({"op": "resize", "width": 9, "fit": "stretch"}, "fit", "cover, contain, fill, inside, outside"),
        ({"op": "resize", "width": 9, "kernel": "sinc"}, "kernel", "lanczos3, nearest"),
        ({"op": "resize", "width": 9, "position": "middle"}, "position", "centre"),
        ({"op": "resize", "width": 9, "position": [0.5, 1.5]}, "position", "0 to 1"),
        ({"op": "resize", "width": 9, "position": [float("nan"), 0]}, "position", "0 to 1"),
        ({"op": "resize", "width": 9, "position": [0.5]}, "position", "length 2"),
        ({"op": "resize", "width": 9, "position": "entropy"}, "position", "not supported by this version"),
        ({"op": "resize", "width": 9, "position": "attention"}, "position", "not supported by this version"),
        ({"op": "resize", "width": 9, "background": "red"}, "background", "array"),
        ({"op": "rotate", "angle": 45}, "angle", "multiples of 90"),
        ({"op": "rotate", "angle": float("nan")}, "angle", "multiples of 90"),
        ({"op": "rotate", "angle": float("inf")}, "angle", "multiples of 90"),
        ({"op": "rotate"}, "angle", "required"),
        ({"op": "extract", "left": -1, "top": 0, "width": 1, "height": 1}, "left", ">= 0"),
    ],
)
def test_parse_outputs_faulty_parameter_is_named(operation: dict[str, Any], key: str, word: str) -> None:
    error = refusal({}, {"operations": [{"op": "flip"}, operation]})

    assert error.code is ErrorCode.BAD_REQUEST
    assert error.message.startswith(f"outputs[1].operations[1].{key}: "), error.message
    assert word in error.message


@pytest.mark.parametrize("name", ["png", "webp", "avif"])
def test_parse_outputs_format_that_is_not_there_says_what_is(name: str) -> None:
    error = refusal({"format": name})

    assert error.code is ErrorCode.UNSUPPORTED_FORMAT
    assert error.message == f"outputs[0].format: '{name}' is not available; available: jpeg, raw"


@pytest.mark.parametrize(("operation", "side"), [("resize", "width"), ("resize", "height"), ("extract", "height")])
def test_parse_outputs_side_over_limit_is_too_large(operation: str, side: str) -> None:
    other = {"left": 0, "top": 0, "width": 1} if operation == "extract" else {}
    error = refusal({"operations": [{"op": operation, **other, side: 16384}]})

    assert error.code is ErrorCode.TOO_LARGE
    assert error.message == f"outputs[0].operations[0].{side}: 16384 is over max_side 16383"


@pytest.mark.parametrize("count", [0, 9])
def test_parse_outputs_count_is_bounded(count: int) -> None:
    assert refusal(*[{}] * count).message.startswith("outputs: expected array of length")
    assert len(parsed(*[{}] * 8)) == 8


@pytest.mark.parametrize(
    "raw", [b"", b"\xc1", b"\x91", b"\x91\x80\x00", b"\x80", b"\x91" * 5000, b"\x91\x81\xa1\xff\x01"]
)
def test_parse_outputs_malformed_bytes_are_a_bad_request(raw: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        parse_outputs(raw, LIMITS)

    assert caught.value.code is ErrorCode.BAD_REQUEST
    assert caught.value.message.startswith("outputs")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from([*JpegEncoding.__struct_fields__, *Resize.__struct_fields__, "angle", "left", "top", "x"])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KEYS, VALUES, max_size=4), st.sampled_from([*OPERATIONS, "none"]))
def test_parse_outputs_any_parameters_parse_or_raise_frame_error(parameters: dict[str, Any], name: str) -> None:
    try:
        (output,) = parsed({"operations": [{**parameters, "op": name}]})
    except FrameError as error:
        assert error.code in {ErrorCode.BAD_REQUEST, ErrorCode.TOO_LARGE}  # noqa: PT017  # or nothing was raised
    else:
        assert decode_operations(encode_operations(output.operations)) == output.operations


def test_encoding_travels_unchanged() -> None:
    for encoding in (JpegEncoding(33, "422", (1, 2, 3)), RawEncoding()):
        assert decode_encoding(encode_encoding(encoding)) == encoding


def test_operations_are_found_in_their_folder() -> None:
    assert list(OPERATIONS) == ["auto_orient", "extract", "flip", "flop", "grayscale", "resize", "rotate"]
