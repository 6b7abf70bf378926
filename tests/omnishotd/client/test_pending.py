"""The table of pending requests, case by case."""

import pytest

from omnishotd.client.errors import (
    BadRequest,
    Busy,
    Cancelled,
    ClientClosed,
    ConnectionLost,
    RequestTimeout,
    UnreadableReply,
    refusal,
)
from omnishotd.client.messages import Pong, Result
from omnishotd.client.pending import LOSSES_MAX, LOSSES_SUSPECT, PING_INTERVAL_S, Finished
from tests.omnishotd.client.bench import Bench, result


def test_request_before_the_first_pong_waits() -> None:
    bench = Bench()
    bench.submit("a")
    assert bench.send_all() == []

    bench.table.connected(0.0)
    assert bench.send_all() == ["ping:~1"]

    bench.receive("~1", Pong("e1", "0.1.0"))
    assert bench.send_all() == ["a"]


def test_reply_ends_its_request_and_no_other() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a")
    bench.submit("b")
    bench.send_all()
    bench.receive("b", result("b"))

    assert bench.finished == [Finished("b", result("b"))]
    assert len(bench.table) == 1


def test_disconnect_sends_what_was_out_once_more_on_the_next_link_in_order() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    for name in "abc":
        bench.submit(name)
    bench.send_all()
    bench.receive("b", result("b"))
    bench.table.disconnected()
    bench.submit("d")
    assert bench.send_all() == []

    bench.connect(2, "e2")
    assert bench.send_all() == ["a", "c", "d"]
    assert bench.send_all() == []
    assert bench.table.counters.resent == 2


def test_reconnect_to_the_same_epoch_sends_again_because_replies_go_to_the_last_connection() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a")
    bench.send_all()
    bench.table.disconnected()
    bench.connect(2, "e1")

    assert bench.send_all() == ["a"]


def test_new_epoch_without_a_disconnect_sends_again_once() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a")
    bench.send_all(0.0)
    bench.table.elapse(PING_INTERVAL_S)
    assert bench.send_all(PING_INTERVAL_S) == ["ping:~1"]

    bench.receive("~1", Pong("e2", "0.1.0"))
    assert bench.send_all() == ["a"]

    bench.receive("~1", Pong("e2", "0.1.0"))
    assert bench.send_all() == []


def test_pong_of_the_connection_before_does_not_bring_the_link_up() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a")
    bench.table.connected(0.0)
    bench.receive("~1", Pong("e1", "0.1.0"))

    assert bench.send_all() == ["ping:~2"]


def test_refused_ping_still_brings_the_link_up() -> None:
    bench = Bench()
    bench.submit("a")
    bench.table.connected(0.0)
    bench.send_all()
    bench.receive("~1", refusal("SHUTTING_DOWN", "drains"))

    assert bench.send_all() == ["a"]


def test_pings_go_out_while_something_is_out_and_stop_when_nothing_is() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a")
    bench.send_all(0.0)
    assert bench.table.wake_s <= PING_INTERVAL_S

    for second in (1.0, 2.0):
        bench.table.elapse(second)
        assert bench.send_all(second) == ["ping:~1"]
    bench.receive("a", result("a"), 2.5)
    bench.table.elapse(30.0)
    assert bench.send_all(30.0) == []
    assert bench.table.wake_s == float("inf")


@pytest.mark.parametrize("code", ["BUSY", "RATE_LIMITED"])
def test_busy_rests_for_as_long_as_told_and_goes_out_again(code: str) -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a")
    bench.send_all()
    bench.receive("a", refusal(code, "full", 200), now_s=1.0)
    assert bench.finished == []

    bench.table.elapse(1.199)
    assert "a" not in bench.send_all(1.199)
    bench.table.elapse(1.2)
    assert "a" in bench.send_all(1.2)


def test_busy_with_jitter_rests_half_as_long_again_at_most() -> None:
    bench = Bench(jitter=1.0)
    bench.connect(1, "e1")
    bench.submit("a")
    bench.send_all()
    bench.receive("a", refusal("BUSY", "full", 200))

    bench.table.elapse(0.299)
    assert bench.send_all() == []
    bench.table.elapse(0.301)
    assert bench.send_all() == ["a"]


def test_busy_beyond_the_time_limit_is_raised_at_once() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a", deadline_s=1.0)
    bench.send_all()
    bench.receive("a", refusal("BUSY", "full", 2000))

    assert bench.outcomes() == {"a": Busy}


def test_busy_without_retry_is_raised_at_once() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a", retry_when_busy=False)
    bench.send_all()
    bench.receive("a", refusal("BUSY", "full", 1))

    assert bench.outcomes() == {"a": Busy}


def test_resting_request_stays_resting_over_a_new_link() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a")
    bench.send_all()
    bench.receive("a", refusal("BUSY", "full", 500))
    bench.table.disconnected()
    bench.connect(2, "e2")
    assert bench.send_all() == []

    bench.table.elapse(0.5)
    assert bench.send_all(0.5) == ["a"]


def test_time_limit_ends_the_request_and_cancels_it_at_the_daemon() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a", deadline_s=0.5)
    bench.send_all()
    bench.finished += bench.table.elapse(0.5)

    assert bench.outcomes() == {"a": RequestTimeout}
    assert bench.send_all() == ["cancel:a"]
    bench.receive("a", result("a"))
    assert bench.table.counters.replies_ignored == 1


def test_time_limit_without_a_daemon_says_so() -> None:
    bench = Bench()
    bench.submit("a", deadline_s=0.5)
    bench.finished += bench.table.elapse(0.6)

    assert str(bench.finished[0].outcome) == "ipc:///nowhere: no daemon answered within 0.5 s"
    bench.connect(1, "e1")
    assert bench.send_all() == []


def test_cancel_of_a_request_that_is_out_leaves_the_last_word_to_the_daemon() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a")
    bench.send_all()
    bench.finished += bench.table.cancel("a")
    assert bench.finished == []
    assert bench.send_all() == ["cancel:a"]

    bench.receive("a", result("a"))
    assert bench.outcomes() == {"a": Result}


def test_cancel_before_sending_ends_at_once() -> None:
    bench = Bench()
    bench.submit("a")
    bench.finished += bench.table.cancel("a")

    assert bench.outcomes() == {"a": Cancelled}


def test_cancelled_request_is_not_sent_again_over_a_new_link() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a")
    bench.send_all()
    bench.table.cancel("a")
    bench.finished += bench.table.disconnected()

    assert bench.outcomes() == {"a": Cancelled}


def test_cancel_that_did_not_get_out_is_not_sent_over_the_next_link() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a")
    bench.send_all()
    bench.table.abandon("a")
    bench.table.disconnected()
    bench.connect(2, "e2")

    assert bench.send_all() == []


def test_request_that_was_out_on_every_lost_link_is_given_up() -> None:
    bench = Bench()
    bench.submit("a")
    for connection in range(1, LOSSES_MAX + 1):
        bench.connect(connection, f"e{connection}")
        assert bench.send_all() == ["a"]
        bench.finished += bench.table.disconnected()

    assert bench.outcomes() == {"a": ConnectionLost}


def test_request_that_breaks_every_link_takes_none_of_the_others_with_it() -> None:
    """After two lost links each goes out alone: those beside the guilty one get their replies between its losses."""
    bench = Bench()
    names = ["a", "b", "guilty", "c"]
    for name in names:
        bench.submit(name)
    connection = 0
    while len(bench.table):
        connection += 1
        assert connection <= LOSSES_MAX + 1
        bench.connect(connection, "e1")
        while went := bench.send_all():
            assert connection <= LOSSES_SUSPECT or len(went) == 1
            if "guilty" in went:
                bench.finished += bench.table.disconnected()
                break
            for name in went:
                bench.receive(name, result(name))

    assert bench.outcomes() == {"a": Result, "b": Result, "guilty": ConnectionLost, "c": Result}


def test_reply_that_says_something_else_than_asked_is_unreadable() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a")
    bench.send_all()
    bench.receive("a", Pong("e1", "0.1.0"))

    assert bench.outcomes() == {"a": UnreadableReply}


def test_close_ends_every_request() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    for name in "ab":
        bench.submit(name)
        bench.send_all()
    bench.receive("b", refusal("BUSY", "full", 100))
    bench.submit("c")
    bench.finished += bench.table.close()

    assert bench.outcomes() == {"a": ClientClosed, "b": ClientClosed, "c": ClientClosed}


def test_refusal_of_a_code_that_frees_nothing_ends_the_request() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a")
    bench.send_all()
    bench.receive("a", refusal("BAD_REQUEST", "no"))

    assert bench.outcomes() == {"a": BadRequest}
