"""The producers' protocol: what is taken, how each refusal reads, and the exact shape of every reply."""

import contextlib
from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ipc.errors import ErrorCode
from ipc.pixels import Layout
from ipc.wire import (
    HEADER_BYTES_MAX,
    ErrorFigures,
    ErrorReply,
    InfoReply,
    Input,
    InputFigures,
    Lent,
    OkReply,
    OutputFigures,
    PingReply,
    Request,
    RequestRefused,
    Timing,
    decode_request,
    encode_reply,
)

OUTPUTS: list[dict[str, Any]] = [{"format": "jpeg"}]
FRAME: dict[str, Any] = {"v": 1, "id": "f-1", "outputs": OUTPUTS}
RAW: dict[str, Any] = {"format": "raw", "width": 4, "height": 2, "layout": "RGB"}


def decoded(**changes: Any) -> Request:
    """Read the usual request with some keys changed; None takes one out."""
    header = {key: value for key, value in {**FRAME, **changes}.items() if value is not None}
    return decode_request(msgpack.packb(header))


def refused(header: bytes) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        decode_request(header)
    return caught.value


def test_request_with_all_keys_is_read_as_it_was_sent() -> None:
    request = decoded(
        op="process",
        client="cam",
        stream="left",
        input=RAW,
        priority=9,
        deadline_ms=600_000,
        on_full="latest",
    )

    assert request.id == "f-1"
    assert (request.client, request.stream) == ("cam", "left")
    assert request.input == Input(format="raw", width=4, height=2, layout=Layout.RGB)
    assert (request.priority, request.deadline_ms, request.on_full) == (9, 600_000, "latest")
    assert msgpack.unpackb(bytes(request.outputs)) == OUTPUTS


def test_request_with_only_what_is_needed_gets_the_defaults_of_the_protocol() -> None:
    request = decoded()

    assert (request.op, request.priority, request.on_full) == ("process", 4, "reject")
    assert (request.client, request.stream, request.preset, request.input, request.deadline_ms) == (None,) * 5


@pytest.mark.parametrize("op", ["ping", "info"])
def test_request_about_the_daemon_needs_no_id(op: str) -> None:
    assert decode_request(msgpack.packb({"v": 1, "op": op})).op == op


@pytest.mark.parametrize("layout", ["GRAY", "RGB", "BGR", "RGBA", "BGRA"])
def test_raw_input_takes_every_layout_of_the_protocol(layout: str) -> None:
    request = decoded(input={**RAW, "layout": layout})

    assert request.input is not None
    assert request.input.layout == layout


def test_id_of_64_characters_and_not_of_64_bytes_is_taken() -> None:
    assert decoded(id="ü" * 64).id == "ü" * 64


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"v": "1"}, "v"),
        ({"v": 1.5}, "v"),
        ({"v": True}, "v"),
        ({"v": None}, "v"),
        ({"op": "destroy"}, "op"),
        ({"op": 1}, "op"),
        ({"client": ""}, "client"),
        ({"client": "c" * 65}, "client"),
        ({"stream": "s" * 65}, "stream"),
        ({"stream": b"bytes"}, "stream"),
        ({"preset": 5, "outputs": None}, "preset"),
        ({"preset": "thumbnail"}, "preset"),
        ({"outputs": None}, "outputs"),
        ({"input": "raw"}, "input"),
        ({"input": {**RAW, "format": "jpeg"}}, "input.format"),
        ({"input": {**RAW, "width": 0}}, "input.width"),
        ({"input": {**RAW, "height": -1}}, "input.height"),
        ({"input": {**RAW, "layout": "CMYK"}}, "input.layout"),
        ({"input": {**RAW, "page": 1}}, "input.page"),
        ({"input": {"format": "raw", "width": 1, "height": 1}}, "input.layout"),
        ({"priority": 10}, "priority"),
        ({"priority": -1}, "priority"),
        ({"priority": "high"}, "priority"),
        ({"deadline_ms": 0}, "deadline_ms"),
        ({"deadline_ms": 600_001}, "deadline_ms"),
        ({"on_full": "block"}, "on_full"),
        ({"colour": "red"}, "colour"),
        ({"": 1}, ""),
    ],
)
def test_refusal_begins_with_the_key_and_echoes_the_id(changes: dict[str, Any], key: str) -> None:
    header = {name: value for name, value in {**FRAME, **changes}.items() if value is not None}
    error = refused(msgpack.packb(header))

    assert error.code is ErrorCode.BAD_REQUEST
    assert error.message.startswith(f"{key}: ")
    assert error.request_id == "f-1"


@pytest.mark.parametrize("request_id", ["", "i" * 65, 7, b"bytes", ["f"]])
def test_refusal_of_an_id_names_it_and_echoes_none(request_id: object) -> None:
    error = refused(msgpack.packb({**FRAME, "id": request_id}))

    assert error.code is ErrorCode.BAD_REQUEST
    assert error.message.startswith("id: ")
    assert error.request_id == ""


@pytest.mark.parametrize("op", ["process", "cancel"])
def test_request_for_a_frame_without_an_id_is_refused(op: str) -> None:
    error = refused(msgpack.packb({"v": 1, "op": op, "outputs": OUTPUTS}))

    assert (error.code, error.request_id) == (ErrorCode.BAD_REQUEST, "")
    assert error.message.startswith("id: ")


@pytest.mark.parametrize("changes", [{}, {"new_key": 1}, {"priority": 77}])
def test_other_version_is_refused_as_such_whatever_else_it_says(changes: dict[str, Any]) -> None:
    error = refused(msgpack.packb({**FRAME, "v": 2, **changes}))

    assert (error.code, error.request_id) == (ErrorCode.UNSUPPORTED_VERSION, "f-1")
    assert error.message.startswith("v: 2 ")


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xc1",
        b"{}",
        msgpack.packb([1, 2]),
        msgpack.packb(None),
        msgpack.packb(FRAME)[:-1],
        msgpack.packb(FRAME) + b"\0",
        b"\x91" * 4000,
        b"\x81\xa1v" + b"\x91" * 4000 + b"\x01",
        msgpack.packb({**FRAME, "id": "\udcff"}, unicode_errors="surrogateescape"),
        b"\x81\x91\x80\x01",
    ],
    ids=[
        "empty",
        "never used byte",
        "JSON",
        "list",
        "nil",
        "cut off",
        "something after it",
        "deep",
        "deep inside",
        "no UTF-8",
        "key that cannot be one",
    ],
)
def test_header_that_is_no_map_is_refused_without_an_id(header: bytes) -> None:
    error = refused(header)

    assert (error.code, error.request_id) == (ErrorCode.BAD_REQUEST, "")
    # How deep a header may be before it is no header at all is the interpreter's affair.
    assert error.message.startswith(("header: ", "v: expected int"))


def test_header_over_4_kib_is_refused_by_its_size_alone() -> None:
    header = msgpack.packb({**FRAME, "outputs": [{"x": "y" * HEADER_BYTES_MAX}]})
    error = refused(header)

    assert (error.code, error.request_id) == (ErrorCode.BAD_REQUEST, "")
    assert f"{len(header)} bytes" in error.message
    assert str(HEADER_BYTES_MAX) in error.message


def test_header_of_exactly_4_kib_is_read() -> None:
    overhead = len(msgpack.packb({**FRAME, "outputs": [{"x": "y" * 4000}]})) - 4000
    header = msgpack.packb({**FRAME, "outputs": [{"x": "y" * (HEADER_BYTES_MAX - overhead)}]})

    assert len(header) == HEADER_BYTES_MAX
    assert decode_request(header).id == "f-1"


def test_message_of_a_refusal_is_one_short_line_whatever_the_key() -> None:
    error = refused(msgpack.packb({**FRAME, "k" * 2000: 1}))

    assert len(error.message) < 200


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=80) | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10) | st.integers(-9, 9), inner),
    max_leaves=12,
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["v", "op", "id", "client", "stream", "preset", "outputs", "input", "priority", "deadline_ms", "on_full", "x"]
    ),
    st.just(1) | st.sampled_from(["process", "ping", "cancel", "latest", "name"]) | st.just(RAW) | JUNK,
)


@settings(deadline=None)
@given(st.binary(max_size=200))
@example(b"\x81\xa1v\xd6\xff\0\0\0\0")
@example(b"\x81\x80\x01")
def test_any_bytes_are_read_or_refused_and_nothing_else(header: bytes) -> None:
    with contextlib.suppress(RequestRefused):
        decode_request(header)


@settings(deadline=None)
@given(HEADERS)
def test_any_map_is_read_or_refused_under_its_own_id(header: dict[str, Any]) -> None:
    encoded = msgpack.packb(header)
    given_id = header.get("id")
    is_id = isinstance(given_id, str) and 1 <= len(given_id) <= 64
    try:
        told_id = decode_request(encoded).id
    except RequestRefused as error:
        told_id = error.request_id or None

    assert told_id == (given_id if is_id and len(encoded) <= HEADER_BYTES_MAX else None)


def read(reply: OkReply | ErrorReply | PingReply | InfoReply) -> Any:
    """Read a reply as a producer does, with the library that producers have."""
    return msgpack.unpackb(encode_reply(reply))


def test_place_of_a_lent_picture_is_read_with_its_default() -> None:
    assert decoded(lent={"segment": "psm_1f", "bytes": 9}).lent == Lent(segment="psm_1f", offset=0, bytes=9)
    most: dict[str, Any] = {"segment": "a" * 255, "offset": 1 << 48, "bytes": 1 << 40}
    assert decoded(lent=most, input=RAW).lent == Lent(**most)
    assert decoded().lent is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("segment", name) for name in ("", ".", "..", ".a", "a/b", "/a", "a\n", "a\0", "é", "a" * 256, 7, None)),
        *(("offset", offset) for offset in (-1, (1 << 48) + 1, 1.5, "0")),
        *(("bytes", size) for size in (0, -1, (1 << 40) + 1, "1")),
        ("size", 1),
    ],
)
def test_place_that_can_be_none_is_refused_with_its_key(key: str, value: object) -> None:
    place = {"segment": "ring", "offset": 0, "bytes": 1, key: value}
    told = refused(msgpack.packb({**FRAME, "lent": place}))

    assert told.code is ErrorCode.BAD_REQUEST
    assert told.message.startswith(f"lent.{key}: ")
    assert told.request_id == FRAME["id"]


def test_ok_reply_has_exactly_the_shape_of_the_protocol() -> None:
    reply = OkReply(
        id="f-1",
        input=InputFigures(format="jpeg", width=640, height=480, bytes=1234),
        outputs=[
            OutputFigures(format="jpeg", width=64, height=48, bytes=99, quality=80),
            OutputFigures(format="raw", width=2, height=1, bytes=6, quality=None, channels=3, layout="RGB"),
        ],
        timing_us=Timing(queue=1, decode=2, transform=3, encode=4, total=11),
        attempts=1,
        trace="abc-1",
    )

    assert read(reply) == {
        "v": 1,
        "id": "f-1",
        "status": "ok",
        "input": {"format": "jpeg", "width": 640, "height": 480, "bytes": 1234},
        "outputs": [
            {"format": "jpeg", "width": 64, "height": 48, "bytes": 99, "quality": 80},
            {"format": "raw", "width": 2, "height": 1, "bytes": 6, "quality": None, "channels": 3, "layout": "RGB"},
        ],
        "timing_us": {"queue": 1, "decode": 2, "transform": 3, "encode": 4, "total": 11},
        "attempts": 1,
        "trace": "abc-1",
    }


@pytest.mark.parametrize("code", list(ErrorCode))
def test_error_reply_without_a_hint_has_no_retry_after_ms(code: ErrorCode) -> None:
    reply = ErrorReply(id="", error=ErrorFigures(code=code, message="why"))

    assert read(reply) == {
        "v": 1,
        "id": "",
        "status": "error",
        "error": {"code": code.value, "message": "why"},
    }


def test_error_reply_with_a_hint_has_retry_after_ms() -> None:
    reply = ErrorReply(id="f", error=ErrorFigures(code=ErrorCode.BUSY, message="full"), retry_after_ms=20)

    assert read(reply)["retry_after_ms"] == 20


def test_ping_reply_has_exactly_the_shape_of_the_protocol() -> None:
    reply = PingReply(id="p", epoch="0af", version="1.2")

    assert read(reply) == {"v": 1, "id": "p", "status": "ok", "epoch": "0af", "version": "1.2"}


def test_info_reply_adds_presets_limits_and_formats() -> None:
    reply = InfoReply(
        id="i",
        epoch="0af",
        version="1.2",
        presets=["thumbnail"],
        limits={"max_side": 9},
        formats={"in": ["jpeg"], "out": ["raw"]},
        operations=["resize"],
    )

    assert read(reply) == {
        "v": 1,
        "id": "i",
        "status": "ok",
        "epoch": "0af",
        "version": "1.2",
        "presets": ["thumbnail"],
        "limits": {"max_side": 9},
        "formats": {"in": ["jpeg"], "out": ["raw"]},
        "operations": ["resize"],
    }


def test_request_that_msgspec_wrote_reads_as_the_one_that_msgpack_wrote() -> None:
    assert decode_request(msgspec.msgpack.encode(FRAME)) == decoded()
