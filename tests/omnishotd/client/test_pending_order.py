"""The table of pending requests, under events in any order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from omnishotd.client.errors import refusal
from omnishotd.client.messages import Pong
from tests.omnishotd.client.bench import Bench, result


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


AnyOrder.TestCase.settings = settings(deadline=None, max_examples=60)
test_requests_in_any_order_of_events_end_once_and_go_out_once_a_link = AnyOrder.TestCase
