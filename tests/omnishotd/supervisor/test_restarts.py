"""The restart policy, without a clock."""

from hypothesis import given, settings
from hypothesis import strategies as st

from omnishotd.supervisor.restarts import DELAY_S_MAX, DELAY_S_MIN, RestartPolicy


def test_delay_doubles_with_each_death_and_has_a_bound() -> None:
    policy = RestartPolicy(restarts_max=20, window_s=1000)

    delays = [policy.died(float(number)) for number in range(8)]
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_one_death_more_than_allowed_inside_the_window_gives_up() -> None:
    policy = RestartPolicy(restarts_max=3, window_s=30)

    assert [policy.died(at_s) is None for at_s in (0, 10, 20, 30)] == [False, False, False, True]


def test_death_that_is_older_than_the_window_does_not_count() -> None:
    policy = RestartPolicy(restarts_max=1, window_s=30)

    assert policy.died(0) == DELAY_S_MIN
    assert policy.died(30.1) == DELAY_S_MIN
    assert policy.died(60.1) is None


def test_no_restarts_allowed_gives_up_at_the_first_death() -> None:
    assert RestartPolicy(restarts_max=0, window_s=30).died(0) is None


@settings(deadline=None)
@given(st.lists(st.floats(0, 100), max_size=40).map(sorted), st.integers(0, 10), st.floats(0.1, 50))
def test_any_deaths_give_up_exactly_when_too_many_lie_in_the_window(
    times_s: list[float], restarts_max: int, window_s: float
) -> None:
    policy = RestartPolicy(restarts_max, window_s)
    for number, now_s in enumerate(times_s):
        recent = sum(now_s - at_s <= window_s for at_s in times_s[: number + 1])
        delay_s = policy.died(now_s)
        assert (delay_s is None) == (recent > restarts_max)
        assert delay_s is None or DELAY_S_MIN <= delay_s <= DELAY_S_MAX


def test_deaths_lately_are_those_inside_the_window() -> None:
    policy = RestartPolicy(10, 30.0)
    for at_s in (0.0, 10.0, 20.0):
        policy.died(at_s)

    assert [policy.deaths_lately(at_s) for at_s in (20.0, 30.5, 41.0, 60.0)] == [3, 2, 1, 0]
