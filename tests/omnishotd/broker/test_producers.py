"""The way back: a slow producer is waited for within bounds, a vanished one is not, and neither holds up another."""

from collections.abc import Sequence
from typing import Any

import pytest
import zmq

from omnishotd.broker.producers import (
    BACKLOG_AGE_US_MAX,
    BACKLOG_BYTES_MAX,
    BACKLOG_COUNT_MAX,
    BACKLOGS_BYTES_MAX,
    Producers,
)
from omnishotd.broker.replies import Reply
from tests.omnishotd.broker.rig import make_sender

SLOW = make_sender(b"slow")
FAST = make_sender(b"fast")


class FakeOutlet:
    """A ROUTER whose peers are full, gone or broken as a test wants it: a real one cannot be made so on cue."""

    def __init__(self) -> None:
        self.sent: list[list[bytes]] = []
        self.errors: dict[bytes, int] = {}
        """errno to raise, by producer."""

    def send_multipart(self, msg_parts: Sequence[Any], flags: int = 0, copy: bool = True) -> None:
        assert flags == zmq.DONTWAIT, "the broker must never block"
        assert not copy
        error = self.errors.get(msg_parts[0])
        if error == zmq.EAGAIN:
            raise zmq.Again
        if error is not None:
            raise zmq.ZMQError(error)
        self.sent.append(list(msg_parts))


def reply(number: int = 0, size_bytes: int = 10) -> Reply:
    return Reply(b"header %d" % number, (b"picture",), size_bytes)


def full() -> tuple[FakeOutlet, Producers]:
    """A way back on which `SLOW` has no room."""
    outlet = FakeOutlet()
    outlet.errors[SLOW.identity] = zmq.EAGAIN
    return outlet, Producers(outlet)


def headers(outlet: FakeOutlet) -> list[bytes]:
    return [parts[1] for parts in outlet.sent]


def test_reply_goes_out_at_once_with_its_pictures() -> None:
    outlet = FakeOutlet()
    producers = Producers(outlet)
    producers.send(FAST, reply(), 0)

    assert outlet.sent == [[b"fast", b"header 0", b"picture"]]
    assert not producers.has_backlog


def test_reply_to_a_req_has_its_empty_delimiter() -> None:
    outlet = FakeOutlet()
    Producers(outlet).send(make_sender(b"req", has_delimiter=True), reply(), 0)

    assert outlet.sent == [[b"req", b"", b"header 0", b"picture"]]


def test_replies_to_a_full_producer_wait_and_go_out_in_order() -> None:
    outlet, producers = full()
    for number in range(3):
        producers.send(SLOW, reply(number), 0)
    producers.flush(1)
    assert outlet.sent == []

    outlet.errors.clear()
    producers.send(SLOW, reply(3), 2)
    producers.flush(2)
    assert headers(outlet) == [b"header 0", b"header 1", b"header 2", b"header 3"]
    assert not producers.has_backlog
    assert producers.dropped == 0


def test_full_producer_does_not_hold_up_another() -> None:
    outlet, producers = full()
    producers.send(SLOW, reply(0), 0)
    producers.send(FAST, reply(1), 0)

    assert headers(outlet) == [b"header 1"]


@pytest.mark.parametrize("error", [zmq.EHOSTUNREACH, zmq.ENOTSUP])
def test_reply_to_a_producer_that_is_gone_is_dropped_and_counted(error: int) -> None:
    outlet = FakeOutlet()
    outlet.errors[FAST.identity] = error
    producers = Producers(outlet)
    producers.send(FAST, reply(), 0)

    assert producers.dropped == 1
    assert not producers.has_backlog


def test_backlog_of_a_producer_that_vanishes_is_dropped_by_the_next_flush() -> None:
    outlet, producers = full()
    producers.send(SLOW, reply(), 0)
    producers.send(SLOW, reply(), 0)
    outlet.errors[SLOW.identity] = zmq.EHOSTUNREACH
    producers.flush(1)

    assert producers.dropped == 2
    assert not producers.has_backlog


def test_any_other_error_of_the_socket_is_not_hidden() -> None:
    outlet = FakeOutlet()
    outlet.errors[FAST.identity] = zmq.ETERM

    with pytest.raises(zmq.ZMQError):
        Producers(outlet).send(FAST, reply(), 0)


def test_backlog_is_bounded_by_count() -> None:
    outlet, producers = full()
    for number in range(BACKLOG_COUNT_MAX + 3):
        producers.send(SLOW, reply(number), 0)
    assert producers.dropped == 3

    outlet.errors.clear()
    producers.flush(1)
    assert headers(outlet) == [b"header %d" % number for number in range(BACKLOG_COUNT_MAX)]


def test_backlog_is_bounded_by_bytes_and_has_room_again_when_it_moved() -> None:
    outlet, producers = full()
    producers.send(SLOW, reply(0, BACKLOG_BYTES_MAX), 0)
    producers.send(SLOW, reply(1, 1), 0)
    assert producers.dropped == 1

    outlet.errors.clear()
    producers.flush(1)
    outlet.errors[SLOW.identity] = zmq.EAGAIN
    producers.send(SLOW, reply(2, BACKLOG_BYTES_MAX), 2)
    assert producers.dropped == 1
    assert producers.has_backlog


def test_producer_that_takes_nothing_for_10_seconds_is_not_waited_for() -> None:
    _, producers = full()
    producers.send(SLOW, reply(), 5)
    producers.send(SLOW, reply(), 5 + BACKLOG_AGE_US_MAX)
    producers.flush(5 + BACKLOG_AGE_US_MAX)
    assert producers.dropped == 0
    producers.flush(6 + BACKLOG_AGE_US_MAX)

    assert BACKLOG_AGE_US_MAX == 10_000_000
    assert producers.dropped == 2
    assert not producers.has_backlog


def test_producer_that_takes_something_now_and_then_is_waited_for() -> None:
    outlet, producers = full()
    for number in range(4):
        producers.send(SLOW, reply(number), 0)
    for turn in range(1, 4):
        allow_one(outlet)
        producers.flush(turn * BACKLOG_AGE_US_MAX)

    assert producers.dropped == 0
    assert headers(outlet) == [b"header 0", b"header 1", b"header 2"]


def allow_one(outlet: FakeOutlet) -> None:
    """Make room for one reply to `SLOW`."""
    outlet.errors.clear()
    sent = outlet.sent

    class Once(list[list[bytes]]):
        def append(self, parts: list[bytes]) -> None:
            sent.append(parts)
            outlet.errors[SLOW.identity] = zmq.EAGAIN
            outlet.sent = sent

    outlet.sent = Once()


# ---- what went out


def test_pictures_are_counted_when_they_go_out_and_as_often() -> None:
    outlet, producers = full()
    producers.send(FAST, reply(0, size_bytes=8 + 7), 0)
    producers.send(FAST, reply(0, size_bytes=8 + 7), 0)
    assert producers.picture_bytes == 14
    producers.send(SLOW, reply(1, size_bytes=8 + 7), 0)
    assert producers.picture_bytes == 14
    outlet.errors.clear()
    producers.flush(1)

    assert producers.picture_bytes == 21


def test_pictures_of_a_reply_that_is_dropped_are_not_counted() -> None:
    outlet, producers = full()
    outlet.errors[FAST.identity] = zmq.EHOSTUNREACH
    producers.send(FAST, reply(), 0)
    producers.send(SLOW, reply(), 0)
    producers.flush(BACKLOG_AGE_US_MAX + 1)

    assert (producers.dropped, producers.picture_bytes) == (2, 0)


# ---- all backlogs together


def test_all_backlogs_together_are_bounded_and_the_largest_is_lost() -> None:
    outlet, producers = full()
    for name in (b"one", b"two", b"three"):
        outlet.errors[name] = zmq.EAGAIN
    each_bytes = BACKLOGS_BYTES_MAX // 4
    producers.send(make_sender(b"one"), reply(1, each_bytes), 0)
    for number in range(2):
        producers.send(make_sender(b"two"), reply(number, each_bytes), 0)
    producers.send(make_sender(b"three"), reply(3, each_bytes), 0)
    assert (producers.backlog_bytes, producers.dropped) == (BACKLOGS_BYTES_MAX, 0)
    producers.send(make_sender(b"three"), reply(4, 1), 0)

    assert (producers.backlog_bytes, producers.dropped) == (2 * each_bytes + 1, 2)
    outlet.errors.clear()
    producers.flush(1)
    assert {parts[0] for parts in outlet.sent} == {b"one", b"three"}
    assert producers.backlog_bytes == 0


def test_bytes_of_a_backlog_are_told_until_it_is_sent_or_dropped() -> None:
    outlet, producers = full()
    for _ in range(3):
        producers.send(SLOW, reply(0, 100), 0)
    assert producers.backlog_bytes == 300
    allow_one(outlet)
    producers.flush(1)
    assert producers.backlog_bytes == 200
    producers.flush(2 + BACKLOG_AGE_US_MAX)

    assert producers.backlog_bytes == 0


def test_time_in_which_the_broker_did_not_run_is_no_reason_to_drop() -> None:
    _, producers = full()
    producers.send(SLOW, reply(), 0)
    producers.excuse(60_000_000)
    producers.flush(60_000_000 + BACKLOG_AGE_US_MAX)
    assert producers.dropped == 0
    producers.flush(60_000_001 + BACKLOG_AGE_US_MAX)

    assert producers.dropped == 1
