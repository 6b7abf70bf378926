"""How fast requests go out under a rate limit: the table against the daemon's own limiter, in made-up time."""

import pytest

from ipc.rates import RateLimiter
from omnishotd.client.errors import RequestTimeout, refusal
from omnishotd.client.messages import Result
from omnishotd.client.pace import GAP_MAX_S, Pace
from tests.omnishotd.client.bench import Bench, result

TICK_S = 0.001
"""The client's thread wakes at full milliseconds."""


def daemon_answers(bench: Bench, limiter: RateLimiter, names: list[str], now_s: float) -> int:
    """Answer as the daemon would; return how many were refused."""
    refused = 0
    for name in names:
        wait_us = limiter.retry_after_us("producer", round(now_s * 1e6))
        if wait_us:
            refused += 1
            bench.receive(name, refusal("RATE_LIMITED", "too many", -(-wait_us // 1000)), now_s + TICK_S)
        else:
            bench.receive(name, result(name), now_s + TICK_S)
    return refused


@pytest.mark.parametrize("rate", [5.0, 100.0, 700.0])
@pytest.mark.parametrize("in_flight", [1, 16])
def test_producer_over_its_rate_gets_all_of_it_and_few_refusals(rate: float, in_flight: int) -> None:
    bench, limiter = Bench(jitter=0.5), RateLimiter(rate)
    bench.connect(1, "e1")
    count = int(max(rate, 10) + 8 * rate)
    ideal_s = (count - max(rate, 10)) / rate
    now_s, submitted, refused = 1.0, 0, 0
    while len(bench.finished) < count:
        while submitted < count and len(bench.table) < in_flight:
            bench.submit(f"r{submitted}", deadline_s=1000.0)
            submitted += 1
        refused += daemon_answers(bench, limiter, [name for name in bench.send_all(now_s) if ":" not in name], now_s)
        now_s += TICK_S
        bench.finished += bench.table.elapse(now_s)

    assert set(bench.outcomes().values()) == {Result}
    assert now_s - 1.0 <= 1.15 * ideal_s + 0.5
    assert refused <= count / 5 + in_flight


def test_requests_refused_together_do_not_come_again_together() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    for number in range(16):
        bench.submit(f"r{number}")
    for name in bench.send_all():
        bench.receive(name, refusal("RATE_LIMITED", "too many", 200))
    bench.table.elapse(0.2)

    assert bench.send_all(0.2) == ["r0"]
    bench.table.elapse(0.39)
    assert bench.send_all(0.39) == []
    assert bench.table.wake_s == pytest.approx(0.4)
    bench.table.elapse(0.4)
    assert bench.send_all(0.4) == ["r1"]


def test_new_requests_wait_behind_the_gap_as_well() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a")
    bench.send_all()
    bench.receive("a", refusal("RATE_LIMITED", "too many", 200))
    bench.submit("b")

    assert bench.send_all(0.1) == []


def test_full_queue_holds_up_no_other_request() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a")
    bench.send_all()
    bench.receive("a", refusal("BUSY", "full", 200))
    bench.submit("b")

    assert bench.send_all(0.1) == ["b"]


def test_request_that_found_no_gap_in_time_says_why() -> None:
    bench = Bench()
    bench.connect(1, "e1")
    bench.submit("a")
    bench.send_all()
    bench.receive("a", refusal("RATE_LIMITED", "too many", 2000))
    bench.submit("b", deadline_s=1.0)
    bench.finished += bench.table.elapse(1.0)

    assert bench.outcomes() == {"b": RequestTimeout}
    assert str(bench.finished[0].outcome).endswith("took no request within 1 s: its rate is limited")


def test_gap_is_bounded_and_forgotten_when_it_is_quiet() -> None:
    pace = Pace()
    for second in range(20):
        pace.refused(3600.0, float(second), float(second))

    assert pace.opens_s == 19 + GAP_MAX_S
    pace.sent(100.0)
    assert pace.is_open(100.0)
