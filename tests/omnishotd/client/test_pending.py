"""The table of pending requests, with a clock of numbers and no sockets."""

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from omnishotd.client.errors import (
    BadRequest,
    Busy,
    Cancelled,
    ClientClosed,
    ConnectionLost,
    OmnishotError,
    RequestTimeout,
    UnreadableReply,
    refusal,
)
from omnishotd.client.messages import Content, InputFacts, Pong, Reply, Result, TimingUs
from omnishotd.client.pending import LOSSES_MAX, PING_INTERVAL_S, Finished, PendingTable
from omnishotd.client.request import Request, TimeLimit


class Bench:
    """A table with its hands: what it wants sent is taken down, what it says has ended is kept."""

    def __init__(self, jitter: float = 0.0) -> None:
        self.table = PendingTable("camera-7", "ipc:///nowhere", lambda: jitter)
        self.finished: list[Finished] = []

    def submit(self, request_id: str, *, deadline_s: float = 30.0, retry_when_busy: bool = True) -> None:
        self.table.submit(
            Request(
                id=request_id,
                header=msgpack.packb({"id": request_id}),
                payload=b"frame",
                limit=TimeLimit(deadline_s, deadline_s),
                retry_when_busy=retry_when_busy,
                expects=Result,
            )
        )

    def send_all(self, now_s: float = 0.0) -> list[str]:
        """Send what is wanted and return it, as `op:id` for a control and as the id for a request."""
        went = []
        while (outgoing := self.table.outgoing()) is not None:
            header = msgpack.unpackb(outgoing.header)
            went.append(header["id"] if outgoing.request else f"{header['op']}:{header['id']}")
            self.table.sent(outgoing, now_s)
        return went

    def receive(self, reply_id: str, content: Content | OmnishotError, now_s: float = 0.0) -> None:
        self.finished += self.table.received(Reply(reply_id, content), now_s)

    def connect(self, connection: int, epoch: str, now_s: float = 0.0) -> None:
        """A new connection, greeted and answered."""
        self.finished += self.table.connected(now_s)
        assert self.send_all(now_s) == [f"ping:~{connection}"]
        self.receive(f"~{connection}", Pong(epoch, "0.1.0"), now_s)

    def outcomes(self) -> dict[str, type]:
        assert len({each.id for each in self.finished}) == len(self.finished)
        return {each.id: type(each.outcome) for each in self.finished}


def result(request_id: str) -> Result:
    return Result(request_id, (), InputFacts("jpeg", 1, 1, 1), TimingUs(0, 0, 0, 0, 0), 1, "t")


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


def test_request_that_was_out_on_every_lost_link_is_given_up() -> None:
    bench = Bench()
    bench.submit("a")
    for connection in range(1, LOSSES_MAX + 1):
        bench.connect(connection, f"e{connection}")
        assert bench.send_all() == ["a"]
        bench.finished += bench.table.disconnected()

    assert bench.outcomes() == {"a": ConnectionLost}


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


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens: each request ends once, or is abandoned, and goes out at most once on one link."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.submitted: list[str] = []
        self.abandoned: set[str] = set()
        self.out_on_link: set[str] = set()
        self.now_s = 0.0
        self.connection = 0
        self.epoch = 0

    def pick(self, number: int) -> str:
        return self.submitted[number % len(self.submitted)] if self.submitted else "none"

    @rule()
    def submit(self) -> None:
        self.submitted.append(f"r{len(self.submitted)}")
        self.bench.submit(self.submitted[-1], deadline_s=self.now_s + 3.0)

    @rule()
    def send(self) -> None:
        for went in self.bench.send_all(self.now_s):
            if went in self.submitted:
                assert went not in self.out_on_link
                self.out_on_link.add(went)

    @rule()
    def connect(self) -> None:
        self.connection += 1
        self.bench.finished += self.bench.table.connected(self.now_s)
        self.out_on_link.clear()

    @rule()
    def disconnect(self) -> None:
        self.bench.finished += self.bench.table.disconnected()
        self.out_on_link.clear()

    @rule(is_new=st.booleans())
    def pong(self, *, is_new: bool) -> None:
        if self.connection == 0:
            return
        if is_new:
            self.epoch += 1
            self.out_on_link.clear()
        self.bench.receive(f"~{self.connection}", Pong(f"e{self.epoch}", "0.1.0"), self.now_s)

    @rule(number=st.integers(0, 9), code=st.sampled_from(["ok", "BUSY", "BAD_REQUEST"]))
    def reply(self, number: int, code: str) -> None:
        name = self.pick(number)
        self.bench.receive(name, result(name) if code == "ok" else refusal(code, "no", 300), self.now_s)
        if code == "BUSY":
            self.out_on_link.discard(name)

    @rule(number=st.integers(0, 9))
    def cancel(self, number: int) -> None:
        self.bench.finished += self.bench.table.cancel(self.pick(number))

    @rule(number=st.integers(0, 9))
    def abandon(self, number: int) -> None:
        name = self.pick(number)
        if name in self.submitted and name not in {each.id for each in self.bench.finished}:
            self.bench.table.abandon(name)
            self.abandoned.add(name)

    @rule()
    def let_time_pass(self) -> None:
        self.now_s += 0.4
        self.bench.finished += self.bench.table.elapse(self.now_s)

    def teardown(self) -> None:
        self.bench.finished += self.bench.table.close()
        ended = [each.id for each in self.bench.finished]
        assert sorted(ended) == sorted(set(self.submitted) - self.abandoned)


test_requests_in_any_order_of_events_end_once_and_go_out_once_a_link = AnyOrder.TestCase
