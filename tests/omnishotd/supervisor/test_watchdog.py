"""When pings are due, by a clock of the test's own."""

import pytest

from omnishotd.supervisor.watchdog import Watchdog


def pings(watchdog: Watchdog, seconds: int) -> list[int]:
    """List the seconds at which a ping is due, for a loop that turns once a second."""
    return [second for second in range(seconds) if watchdog.offer(float(second))]


def test_ping_is_due_at_once_and_every_third_of_the_time() -> None:
    assert pings(Watchdog(9.0), 10) == [0, 3, 6, 9]


def test_loop_that_turned_late_pings_once_and_not_for_the_time_that_is_gone() -> None:
    watchdog = Watchdog(9.0)

    assert [watchdog.offer(now_s) for now_s in (0.0, 30.0, 30.5, 33.0)] == [True, True, False, True]


def test_loop_may_sleep_until_the_next_ping() -> None:
    watchdog = Watchdog(9.0)
    watchdog.offer(100.0)
    wait_ms = watchdog.due_in_ms(101.0)

    assert wait_ms is not None
    assert watchdog.offer(101.0 + wait_ms / 1000)
    assert not watchdog.offer(101.0 + wait_ms / 1000)


def test_watchdog_of_nobody_is_never_due() -> None:
    watchdog = Watchdog(None)

    assert not watchdog.offer(1e9)
    assert watchdog.due_in_ms(1e9) is None


@pytest.mark.parametrize("for_pid", [{}, {"WATCHDOG_PID": ""}, {"WATCHDOG_PID": "42"}])
def test_watchdog_follows_the_environment_and_takes_it_out(for_pid: dict[str, str]) -> None:
    environment = {"WATCHDOG_USEC": "9000000", "PATH": "/bin", **for_pid}

    assert pings(Watchdog.from_environment(environment, 42), 10) == [0, 3, 6, 9]
    assert environment == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "9000000", "WATCHDOG_PID": "43"},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "-5"},
        {"WATCHDOG_USEC": "ten"},
        {"WATCHDOG_USEC": "²"},
    ],
    ids=str,
)
def test_watchdog_of_another_process_or_of_no_time_is_none(environment: dict[str, str]) -> None:
    assert pings(Watchdog.from_environment(environment, 42), 10) == []
    assert environment == {}
