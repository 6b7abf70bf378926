"""What a producer is told, as its MessagePack library reads it."""

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import pytest

from ipc.errors import ErrorCode
from ipc.messages import Encoded
from omnishotd.broker.frame import Frame, InvariantError
from omnishotd.broker.replies import error_reply, ok_reply
from tests.omnishotd.broker.rig import START_US, make_frame


def finished_frame() -> Frame:
    """With a JPEG and raw pixels."""
    frame = make_frame(5, b"payload")
    frame.encoded = [Encoded(0, "jpeg", 4, 3, 80), Encoded(1, "raw", 2, 1, None, "RGBA")]
    frame.parts = [b"jpeg bytes", b"12345678"]
    frame.times.queue, frame.times.decode, frame.times.transform, frame.times.encode = 10, 20, 30, 40
    frame.killed = (7,)
    return frame


def test_ok_reply_describes_input_outputs_and_times() -> None:
    reply = ok_reply(finished_frame(), START_US + 150)

    assert msgpack.unpackb(reply.header) == {
        "v": 1,
        "id": "f5",
        "status": "ok",
        "input": {"format": "jpeg", "width": 8, "height": 8, "bytes": 7},
        "outputs": [
            {"format": "jpeg", "width": 4, "height": 3, "bytes": 10, "quality": 80},
            {"format": "raw", "width": 2, "height": 1, "bytes": 8, "quality": None, "channels": 4, "layout": "RGBA"},
        ],
        "timing_us": {"queue": 10, "decode": 20, "transform": 30, "encode": 40, "total": 150},
        "attempts": 2,
        "trace": "t-5",
    }
    assert list(reply.pictures) == [b"jpeg bytes", b"12345678"]
    assert reply.bytes == len(reply.header) + 18


def test_ok_reply_keeps_its_pictures_when_the_frame_lets_go_of_them() -> None:
    frame = finished_frame()
    reply = ok_reply(frame, START_US)
    frame.parts.clear()

    assert len(reply.pictures) == 2


def test_ok_reply_without_all_pictures_is_a_bug_that_is_seen() -> None:
    frame = finished_frame()
    frame.encoded[1] = None

    with pytest.raises(InvariantError):
        ok_reply(frame, START_US)


def test_error_reply_has_a_code_a_message_and_no_picture() -> None:
    reply = error_reply("f", ErrorCode.BAD_IMAGE, "cut off")

    assert msgpack.unpackb(reply.header) == {
        "v": 1,
        "id": "f",
        "status": "error",
        "error": {"code": "BAD_IMAGE", "message": "cut off"},
    }
    assert (reply.pictures, reply.bytes) == ((), len(reply.header))


def test_error_reply_has_a_hint_only_where_one_is_given_even_when_it_is_0() -> None:
    assert msgpack.unpackb(error_reply("f", ErrorCode.BUSY, "full", 0).header)["retry_after_ms"] == 0
    assert "retry_after_ms" not in msgpack.unpackb(error_reply("f", ErrorCode.BUSY, "full").header)
