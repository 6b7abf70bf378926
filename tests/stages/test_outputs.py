"""Reading of a request's outputs: what is kept, and the key that each fault names."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipc.errors import ErrorCode, FrameError
from stages import operations
from stages.encodings import JpegEncoding, RawEncoding, decode_encoding, encode_encoding
from stages.limits import Limits
from stages.operations import OPERATIONS, decode_operations, encode_operations
from stages.operations.resize import Resize
from stages.operations.rotate import Rotate
from stages.outputs import Output, faults, parse_outputs

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
        ({"format": "bmp"}, "outputs[0].format: ", "available: jpeg, png, webp, avif, raw"),
        ({"format": "raw", "quality": 80}, "outputs[0].quality: ", "does not belong to format raw"),
        ({"format": "raw", "background": [0, 0, 0]}, "outputs[0].background: ", "does not belong"),
        ({"lossless": True}, "outputs[0].lossless: ", "does not belong to format jpeg"),
        ({"max_bytes": 0}, "outputs[0].max_bytes: ", ">= 1"),
        ({"metadata": "all"}, "outputs[0].metadata: ", "strip, keep"),
        ({"format": "png", "compression": 10}, "outputs[0].compression: ", "<= 9"),
        ({"format": "png", "quality": 80}, "outputs[0].quality: ", "does not belong to format png"),
        ({"format": "webp", "effort": 11}, "outputs[0].effort: ", "<= 10"),
        ({"format": "webp", "lossless": True, "max_bytes": 9}, "outputs[0].max_bytes: ", "lossless"),
        ({"format": "avif", "lossless": True}, "outputs[0].lossless: ", "does not belong to format avif"),
        ({"operations": {}}, "outputs[0].operations: ", "array"),
        ({"operations": [{}] * 65}, "outputs[0].operations: ", "<= 64"),
        ({"operations": [7]}, "outputs[0].operations[0]: ", "object"),
        ({"operations": [{}]}, "outputs[0].operations[0].op: ", "required"),
        ({"operations": [{"op": "blurr"}]}, "outputs[0].operations[0].op: ", "auto_orient, blur, "),
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
        ({"op": "resize", "width": 9, "background": "red"}, "background", "array"),
        ({"op": "extend", "with": "glue"}, "with", "copy, mirror, repeat"),
        ({"op": "extend", "with": "copy", "background": [0, 0, 0]}, "with", "excludes background"),
        ({"op": "rotate", "angle": float("nan")}, "angle", ">= -36000"),
        ({"op": "rotate", "angle": float("inf")}, "angle", "<= 36000"),
        ({"op": "rotate"}, "angle", "required"),
        ({"op": "extract", "left": -1, "top": 0, "width": 1, "height": 1}, "left", ">= 0"),
    ],
)
def test_parse_outputs_faulty_parameter_is_named(operation: dict[str, Any], key: str, word: str) -> None:
    error = refusal({}, {"operations": [{"op": "flip"}, operation]})

    assert error.code is ErrorCode.BAD_REQUEST
    assert error.message.startswith(f"outputs[1].operations[1].{key}: "), error.message
    assert word in error.message


@pytest.mark.parametrize(("overlays", "known"), [((), "none"), (("logo", "seal"), "logo, seal")])
def test_parse_outputs_overlay_that_is_not_there_says_what_is(overlays: tuple[str, ...], known: str) -> None:
    laid = [{"operations": [{"op": "composite", "overlay": "sea"}]}]
    with pytest.raises(FrameError) as caught:
        parse_outputs(msgspec.msgpack.encode(laid), LIMITS, overlays)

    assert caught.value.code is ErrorCode.BAD_REQUEST
    assert caught.value.message == f"outputs[0].operations[0].overlay: there is no overlay 'sea'; known: {known}"


def test_parse_outputs_overlay_that_is_there_is_taken() -> None:
    laid = [{"operations": [{"op": "composite", "overlay": "seal"}]}]
    (output,) = parse_outputs(msgspec.msgpack.encode(laid), LIMITS, ("logo", "seal"))

    assert output.operations[0].overlays == ("seal",)


def test_faults_are_all_told_in_their_order() -> None:
    wrong = [
        {"operations": [{"op": "flop"}, {"op": "flap"}, {"op": "resize", "width": 20_000}], "quality": 0},
        7,
        {"operations": [{"op": "rotate"}], "format": "bmp"},
    ]
    several = [fault.message.partition(": ")[0] for fault in faults(msgspec.msgpack.encode(wrong[::2]), LIMITS)]

    assert several == [
        "outputs[0].operations[1].op",
        "outputs[0].operations[2].width",
        "outputs[0].quality",
        "outputs[1].operations[0].angle",
        "outputs[1].format",
    ]
    assert [fault.message.partition(": ")[0] for fault in faults(msgspec.msgpack.encode(wrong), LIMITS)] == [
        "outputs[1]"
    ]
    assert not list(faults(msgspec.msgpack.encode([{}]), LIMITS))


@given(st.lists(st.sampled_from([{}, {"quality": 0}, {"operations": [{"op": "x"}, {"op": "flip"}]}, 3]), max_size=9))
def test_faults_begin_with_that_for_which_the_request_is_refused(outputs: list[Any]) -> None:
    encoded = msgspec.msgpack.encode(outputs)
    found = [fault.message for fault in faults(encoded, LIMITS)]
    try:
        parse_outputs(encoded, LIMITS)
    except FrameError as error:
        assert found[0] == error.message  # noqa: PT017  # or nothing was raised
    else:
        assert not found


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


@pytest.mark.parametrize("last", ["blur", "nothing", 3])
def test_parse_outputs_key_that_is_there_twice_is_a_bad_request(last: object) -> None:
    """What tells the fault goes by the last `op`, whatever the decoder went by."""
    pack = msgspec.msgpack.encode
    pairs = [("op", "resize"), ("fit", "none"), ("op", last)]
    operation = b"\x83" + b"".join(pack(key) + pack(value) for key, value in pairs)

    with pytest.raises(FrameError) as caught:
        parse_outputs(b"\x91\x81" + pack("operations") + b"\x91" + operation, LIMITS)

    assert caught.value.code is ErrorCode.BAD_REQUEST
    assert caught.value.message == "outputs[0].operations[0].fit: 'none' is not taken"


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
    modules = {path.stem for path in Path(operations.__file__).parent.glob("*.py")} - {"__init__"}

    assert list(OPERATIONS) == sorted(modules)
