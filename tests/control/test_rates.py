"""Rates by address and traffic, at a clock of their own."""

import pytest

from control.rates import Rates, Traffic


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_us = 10**12

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def clock() -> Clock:
    return Clock()


def passed(rates: Rates, traffic: Traffic, client: str = "10.0.0.1", most: int = 5000) -> int:
    """Count what passes at one moment."""
    return next((count for count in range(most) if rates.retry_after_s(client, traffic)), most)


def test_traffic_has_each_its_own_allowance(clock: Clock) -> None:
    rates = Rates(600, 1000, clock)

    counts = {traffic: passed(rates, traffic) for traffic in Traffic}

    assert counts == {Traffic.HEALTH: 5000, Traffic.READ: 100, Traffic.ACT: 5, Traffic.FEED: 1000, Traffic.DENIED: 20}


def test_a_minute_brings_what_is_configured(clock: Clock) -> None:
    rates = Rates(600, 1000, clock)
    passed(rates, Traffic.READ)

    later = 0
    for _ in range(600):
        clock.now_us += 100_000
        later += passed(rates, Traffic.READ)

    assert later == 600


def test_rate_of_0_limits_only_those_without_the_token(clock: Clock) -> None:
    rates = Rates(0, 10, clock)

    counts = {traffic: passed(rates, traffic) for traffic in Traffic}

    assert counts == {**dict.fromkeys(Traffic, 5000), Traffic.DENIED: 20}


def test_low_rate_still_lets_the_page_open(clock: Clock) -> None:
    assert passed(Rates(1, 10, clock), Traffic.READ) == 30


def test_wait_is_in_whole_seconds_and_then_the_next_passes(clock: Clock) -> None:
    rates = Rates(60, 10, clock)
    passed(rates, Traffic.ACT)

    wait_s = rates.retry_after_s("10.0.0.1", Traffic.ACT)
    clock.now_us += wait_s * 1_000_000

    assert wait_s == 6
    assert rates.retry_after_s("10.0.0.1", Traffic.ACT) == 0


@pytest.mark.parametrize(
    ("one", "other", "is_shared"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_addresses_share_an_allowance_if_one_host_may_have_both(
    clock: Clock, one: str, other: str, is_shared: bool
) -> None:
    rates = Rates(600, 10, clock)
    passed(rates, Traffic.ACT, one)

    assert passed(rates, Traffic.ACT, other) == (0 if is_shared else 5)
