"""Messages between our own processes: they survive the way, and what is none is refused at the border."""

from typing import Any

import msgspec
import pytest

from ipc.causes import Cause
from ipc.errors import ErrorCode
from ipc.messages import (
    Answer,
    Batch,
    Decode,
    Drain,
    Drained,
    Encode,
    Encoded,
    Extent,
    Fault,
    FromChild,
    Hello,
    Kill,
    Message,
    Ready,
    Report,
    Step,
    Stop,
    Task,
    ToBroker,
    ToChild,
    Transform,
    Unable,
    WorkerExpected,
    WorkerGone,
)
from ipc.pixels import Geometry, Layout

WHOLE = Geometry(640, 480, Layout.RGB)
SMALL = Geometry(64, 48, Layout.RGB)
STEPS: list[Step] = [
    Decode(Extent(0, 100), Extent(128, 640 * 480 * 3), "jpeg", WHOLE),
    Transform(Extent(128, 640 * 480 * 3), Extent(1 << 20, 64 * 48 * 3), WHOLE, WHOLE, b"\x90", SMALL),
    Encode(Extent(1 << 20, 64 * 48 * 3), SMALL, 0, b"\x80"),
]
ANSWERS = [
    Answer(1, [10, 20, 30], [Encoded(0, "jpeg", 64, 48, 80), Encoded(1, "raw", 64, 48, None, "RGB")]),
    Answer(2, [], [], Fault(ErrorCode.BAD_IMAGE, "cut off")),
]


@pytest.mark.parametrize(
    ("message", "road"),
    [
        (Batch([Task(7, "abc-1", STEPS)]), Batch),
        (Report(ANSWERS), ToBroker),
        (Hello(3, ["decode"]), ToBroker),
        (WorkerGone(3, "SIGKILL"), ToChild),
        (WorkerExpected(4, "decode-0", ["decode"]), ToChild),
        (Drain(100), ToChild),
        (Stop(), ToChild),
        (Ready("here"), FromChild),
        (Unable("address taken", 69), FromChild),
        (Kill(3, "over its time limit", Cause.TIME_LIMIT), FromChild),
        (Drained(0), FromChild),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Message) else "",
)
def test_message_arrives_as_it_was_sent(message: Message, road: Any) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=road) == message


@pytest.mark.parametrize(
    "sent",
    [
        ["report", [[1, [-1], []]]],
        ["report", [[1, [2**63], []]]],
        ["report", [[1, ["soon"], []]]],
        ["report", [[1, [], [], ["NO_SUCH_CODE", "x"]]]],
        ["report", [[1, [], [[0, "jpeg", 1, 1]]]]],
        ["hello", "3", []],
        ["hello", 3, [], 1, "more"],
        ["batch", []],
        [],
        {},
    ],
    ids=[
        "time before it began",
        "time without bound",
        "time that is none",
        "unknown code",
        "field left out",
        "wrong type",
        "field too many",
        "of the other direction",
        "nothing",
        "map",
    ],
)
def test_what_is_no_report_is_refused(sent: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(sent), type=ToBroker)


def test_message_cannot_be_changed() -> None:
    extent = Extent(0, 64)

    with pytest.raises(AttributeError):
        extent.offset = 64  # type: ignore[misc]  # what is tested is that it cannot be done


def test_tags_of_one_road_are_all_different() -> None:
    for road in (ToBroker, ToChild, FromChild):
        tags = [member.__struct_config__.tag for member in road.__args__]
        assert len(set(tags)) == len(tags)
