"""The rate limit: one second's worth at once, at least 10, and then evenly."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.rates import ASKERS_MAX, RateLimiter

NOW_US = 1_234_567_891_011


def burst(limiter: RateLimiter, now_us: int, asker: bytes = b"a") -> int:
    """Count what passes at one moment."""
    passed = 0
    while passed < 10_000 and limiter.retry_after_us(asker, now_us) == 0:
        passed += 1
    return passed


@pytest.mark.parametrize("rate", [0.5, 1, 7, 10, 12, 30, 33, 90, 1000])
def test_burst_is_one_second_s_worth_and_at_least_10(rate: float) -> None:
    for now_us in range(NOW_US, NOW_US + 20):
        assert burst(RateLimiter(rate), now_us) == max(int(rate), 10)


def test_burst_that_is_given_is_what_passes_at_once() -> None:
    limiter = RateLimiter(1, burst=37)

    assert burst(limiter, NOW_US) == 37
    assert burst(limiter, NOW_US + 2_000_000) == 2


def test_rate_of_0_lets_everything_pass() -> None:
    assert burst(RateLimiter(0), NOW_US) == 10_000


@settings(deadline=None)
@given(st.floats(0.1, 1000), st.integers(0, 10**13))
def test_any_asker_that_waits_as_told_passes(rate: float, now_us: int) -> None:
    limiter = RateLimiter(rate)
    burst(limiter, now_us)
    wait_us = limiter.retry_after_us(b"a", now_us)

    assert 0 < wait_us <= 1e6 / rate + 1
    assert limiter.retry_after_us(b"a", now_us + wait_us + 1) == 0


def test_refused_request_is_not_counted() -> None:
    limiter = RateLimiter(10)
    burst(limiter, NOW_US)
    for _ in range(100):
        limiter.retry_after_us(b"a", NOW_US)

    assert burst(limiter, NOW_US + 100_000) == 1


def test_steady_asker_at_its_rate_is_never_refused() -> None:
    limiter = RateLimiter(30)
    burst(limiter, NOW_US)

    assert all(limiter.retry_after_us(b"a", NOW_US + (n * 1_000_000 + 29) // 30) == 0 for n in range(1, 3000))


def test_askers_do_not_take_from_each_other() -> None:
    limiter = RateLimiter(10)

    assert burst(limiter, NOW_US, b"a") == burst(limiter, NOW_US, b"b") == 10


def test_limiter_forgets_the_asker_that_was_silent_longest() -> None:
    limiter = RateLimiter(10)
    burst(limiter, NOW_US)
    for number in range(ASKERS_MAX):
        limiter.retry_after_us(b"%d" % number, NOW_US)

    assert burst(limiter, NOW_US) == 10
    assert len(limiter._arrivals) == ASKERS_MAX
