"""The protocol's bytes as the client writes and reads them."""

from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.wire import decode_request
from omnishotd.client.errors import FrameRefused, UnreadableReply
from omnishotd.client.messages import DaemonInfo, Picture, Reply, Result, encode_header, read_reply
from tests.omnishotd.client.scripted_daemon import Seen, info, ok, refused

SEEN = Seen(b"", {"id": "a"}, b"frame")


def test_header_is_taken_by_the_brokers_own_reader() -> None:
    header = encode_header({"op": "process", "id": "a", "client": "c", "preset": "p", "priority": 3, "stream": None})
    request = decode_request(header)

    assert (request.id, request.client, request.preset, request.priority, request.stream) == ("a", "c", "p", 3, None)


@pytest.mark.parametrize(("value", "error"), [(1 << 64, ValueError), (object(), TypeError), ("\ud800", ValueError)])
def test_header_that_cannot_be_written_is_told_as_such(value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^header: "):
        encode_header({"id": "a", "outputs": [{"quality": value}]})


def test_result_is_read_whatever_keys_a_newer_daemon_adds() -> None:
    reply = read_reply(ok(SEEN, b"picture"))

    assert isinstance(reply.content, Result)
    assert reply.content.outputs[0].data == b"picture"


def test_picture_shown_to_a_developer_leaves_its_bytes_out() -> None:
    assert repr(Picture("jpeg", 3, 2, 80, b"bytes")) == (
        "Picture(format='jpeg', width=3, height=2, quality=80, layout=None)"
    )


def test_info_is_read() -> None:
    assert isinstance(read_reply(info(SEEN)).content, DaemonInfo)


def test_refusal_keeps_code_message_and_wait() -> None:
    content = read_reply(refused(SEEN, "BUSY", "full", 70)).content

    assert isinstance(content, FrameRefused)
    assert (content.code, content.message, content.retry_after_ms) == ("BUSY", "full", 70)


@pytest.mark.parametrize("parts", [[], [b""], [b"\xc1"], [b"\x90"], [b"\x80"], [b"\x81\xa2id\x01"], [b"\x81\x01\x02"]])
def test_reply_that_belongs_to_nobody_is_unreadable(parts: list[bytes]) -> None:
    reply = read_reply(parts)

    assert reply.id == ""
    assert isinstance(reply.content, UnreadableReply)


@pytest.mark.parametrize(
    "change",
    [
        {"status": None},
        {"status": "error"},
        {"status": "error", "error": 1},
        {"input": 3},
        {"outputs": None},
        {"outputs": [{}]},
        {"outputs": [{"format": "jpeg", "width": 1, "height": 1, "bytes": 8, "quality": 80}]},
        {"timing_us": []},
        {"attempts": "many"},
        {"attempts": float("inf")},
    ],
)
def test_reply_with_a_part_missing_or_wrong_is_unreadable_under_its_id(change: dict[str, Any]) -> None:
    header, picture = ok(SEEN, b"picture")
    reply = read_reply([msgpack.packb(msgpack.unpackb(header) | change), picture])

    assert reply.id == "a"
    assert isinstance(reply.content, UnreadableReply)


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_KEYS = st.sampled_from(
    ["id", "status", "error", "outputs", "input", "timing_us", "epoch", "presets", "limits", "attempts"]
)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=4))
def test_any_bytes_are_read_without_an_exception(parts: list[bytes]) -> None:
    assert isinstance(read_reply(parts), Reply)


@settings(deadline=None)
@given(st.dictionaries(_KEYS, _VALUES), st.lists(st.binary(max_size=4), max_size=2))
def test_any_map_is_read_without_an_exception(header: dict[str, Any], pictures: list[bytes]) -> None:
    assert isinstance(read_reply([msgpack.packb(header | {"status": "ok"}), *pictures]), Reply)


@pytest.mark.parametrize(("layout", "shape"), [("GRAY", (2, 3)), ("RGB", (2, 3, 3)), ("RGBA", (2, 3, 4))])
def test_raw_picture_as_array_has_the_shape_of_its_layout(layout: str, shape: tuple[int, ...]) -> None:
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    picture = Picture("raw", 3, 2, None, pixels.tobytes(), layout)

    np.testing.assert_array_equal(picture.array(), pixels)


def test_encoded_picture_as_array_is_refused() -> None:
    with pytest.raises(ValueError, match="format: jpeg is encoded"):
        Picture("jpeg", 3, 2, 80, b"...").array()
