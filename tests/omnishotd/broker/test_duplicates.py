"""The duplicate window: what it knows, when it forgets, and which codes free a name."""

import pytest

from ipc.errors import ErrorCode
from omnishotd.broker.duplicates import AGE_US_MAX, COUNT_MAX, NAME_BYTES, REPLY_BYTES_MAX, Answered, DuplicateWindow
from omnishotd.broker.frame import Frame
from omnishotd.broker.replies import Reply
from tests.omnishotd.broker.rig import make_frame

FREED = {"BUSY", "RATE_LIMITED", "SHUTTING_DOWN", "DROPPED", "EXPIRED", "CANCELLED", "INTERNAL"}
"""As PROTOCOL.md has it."""


def find(window: DuplicateWindow, frame: Frame, now_us: int = 0) -> Frame | Reply | None:
    known = window.known(frame.key, now_us)
    assert known is None or known.fingerprint == frame.fingerprint
    return known.reply if isinstance(known, Answered) else known


def answered(window: DuplicateWindow, frame: Frame, reply_bytes: int = 1, now_us: int = 0) -> Reply:
    reply = Reply(b"header", (), reply_bytes)
    window.admit(frame)
    window.close(frame, reply, None, now_us)
    return reply


def test_unknown_request_is_not_found() -> None:
    assert find(DuplicateWindow(), make_frame(0)) is None


def test_request_in_flight_gives_its_frame() -> None:
    window = DuplicateWindow()
    window.admit(frame := make_frame(0))

    assert find(window, frame) is frame
    assert window.in_flight(frame.key) is frame
    assert window.all_in_flight() == [frame]


def test_answered_request_gives_its_reply() -> None:
    window = DuplicateWindow()
    reply = answered(window, frame := make_frame(0))

    assert find(window, frame) is reply
    assert window.in_flight(frame.key) is None


@pytest.mark.parametrize("is_answered", [False, True])
def test_same_name_for_another_request_is_known_by_the_fingerprint_of_the_first(is_answered: bool) -> None:
    window = DuplicateWindow()
    frame = make_frame(0, b"one")
    if is_answered:
        answered(window, frame)
    else:
        window.admit(frame)

    known = window.known(make_frame(1, b"two", request_id="f0").key, 0)
    assert known is not None
    assert known.fingerprint == frame.fingerprint


def test_same_name_of_another_client_is_another_request() -> None:
    window = DuplicateWindow()
    frame = make_frame(0)
    answered(window, frame)

    assert window.known(type(frame.key)("somebody", frame.key.request_id), 0) is None


@pytest.mark.parametrize("code", list(ErrorCode))
def test_error_frees_the_name_exactly_where_the_protocol_says(code: ErrorCode) -> None:
    window = DuplicateWindow()
    window.admit(frame := make_frame(0))
    reply = Reply(b"header", (), 6)
    window.close(frame, reply, code, 0)

    assert find(window, frame) is (None if code.value in FREED else reply)


def test_answer_is_forgotten_after_120_seconds_and_not_before() -> None:
    window = DuplicateWindow()
    reply = answered(window, frame := make_frame(0), now_us=50)

    assert AGE_US_MAX == 120_000_000
    assert find(window, frame, 50 + AGE_US_MAX) is reply
    assert find(window, frame, 51 + AGE_US_MAX) is None


def test_oldest_answer_is_forgotten_for_the_10001st() -> None:
    window = DuplicateWindow()
    frames = [make_frame(number) for number in range(10_001)]
    for frame in frames:
        answered(window, frame)

    assert COUNT_MAX == 10_000
    assert find(window, frames[0]) is None
    assert find(window, frames[1]) is not None


def test_oldest_answers_are_forgotten_for_more_than_64_mib_of_replies() -> None:
    window = DuplicateWindow()
    frames = [make_frame(number) for number in range(4)]
    for frame in frames:
        answered(window, frame, REPLY_BYTES_MAX // 3)

    assert REPLY_BYTES_MAX == 64 << 20
    assert [find(window, frame) is None for frame in frames] == [True, False, False, False]


def test_reply_larger_than_all_there_is_is_not_kept_and_spoils_nothing() -> None:
    window = DuplicateWindow()
    answered(window, giant := make_frame(0), REPLY_BYTES_MAX + 1)
    answered(window, small := make_frame(1), REPLY_BYTES_MAX)

    assert find(window, giant) is None
    assert find(window, small) is not None


def test_frame_in_flight_is_never_forgotten() -> None:
    window = DuplicateWindow()
    window.admit(frame := make_frame(0))

    assert find(window, frame, 10 * AGE_US_MAX) is frame


def test_remembered_bytes_are_those_of_replies_and_names_until_they_are_forgotten() -> None:
    window = DuplicateWindow()
    answered(window, make_frame(0), reply_bytes=5000)
    answered(window, make_frame(1), reply_bytes=3000)
    assert window.remembered_bytes == 8000 + 2 * NAME_BYTES

    find(window, make_frame(2), AGE_US_MAX + 1)
    assert window.remembered_bytes == 0
