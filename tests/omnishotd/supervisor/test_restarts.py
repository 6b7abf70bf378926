"""The restart policy, without a clock."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from omnishotd.supervisor.restarts import DELAY_S_MAX, DELAY_S_MIN, EARLY_S, RestartPolicy

LONG_S = 60.0


def died(policy: RestartPolicy, at_s: float, served_s: float | None = None, incarnation: int = 0) -> float | None:
    return policy.died("decode-0", incarnation, served_s, at_s)


def test_delay_doubles_with_each_early_death_and_has_a_bound() -> None:
    policy = RestartPolicy(restarts_max=20, window_s=1000)
    delays = [died(policy, float(number), served_s=served_s) for number, served_s in enumerate([None, 1.9] * 5)]

    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0]


def test_service_that_had_served_comes_back_soon_however_often_it_dies() -> None:
    policy = RestartPolicy(restarts_max=20, window_s=1000)

    assert [died(policy, float(number), LONG_S) for number in range(10)] == [DELAY_S_MIN] * 10


def test_death_after_service_ends_the_row_of_early_ones() -> None:
    policy = RestartPolicy(restarts_max=20, window_s=1000)

    assert [died(policy, 0.0, served_s) for served_s in (None, 1.0, EARLY_S, None, None)] == [0.1, 0.2, 0.1, 0.1, 0.2]


def test_early_deaths_of_one_service_do_not_delay_another() -> None:
    policy = RestartPolicy(restarts_max=20, window_s=1000)
    for number in range(4):
        policy.died("decode-0", number, None, 0.0)

    assert policy.died("decode-1", 9, None, 0.0) == DELAY_S_MIN


def test_one_death_more_than_allowed_inside_the_window_gives_up() -> None:
    policy = RestartPolicy(restarts_max=3, window_s=30)

    assert [died(policy, at_s, LONG_S) is None for at_s in (0, 10, 20, 30)] == [False, False, False, True]


def test_death_that_is_older_than_the_window_does_not_count() -> None:
    policy = RestartPolicy(restarts_max=1, window_s=30)

    assert died(policy, 0, LONG_S) == DELAY_S_MIN
    assert died(policy, 30.1, LONG_S) == DELAY_S_MIN
    assert died(policy, 60.1, LONG_S) is None


def test_no_restarts_allowed_gives_up_at_the_first_death() -> None:
    assert died(RestartPolicy(restarts_max=0, window_s=30), 0) is None


def test_process_that_could_not_be_started_delays_the_next_and_is_no_death() -> None:
    policy = RestartPolicy(restarts_max=0, window_s=30)

    assert [policy.not_started("decode-0", number) for number in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert policy.deaths_lately(0.0) == 0
    assert not policy.is_exhausted(0.0)


def test_forgiven_deaths_count_no_more_and_take_their_delay_with_them() -> None:
    policy = RestartPolicy(restarts_max=3, window_s=30)
    for number in range(4):
        died(policy, 0.0, None, number)
    assert policy.is_exhausted(0.0)

    assert policy.forgive([1, 2])
    assert (policy.deaths_lately(0.0), policy.is_exhausted(0.0), policy.delay_s("decode-0")) == (2, False, 0.2)
    assert not policy.forgive([1, 2, 99])


@dataclass(frozen=True)
class Told:
    """What happened to a pool of two services."""

    passes_s: float
    service: str
    served_s: float | None
    is_forgiven: bool


told = st.builds(
    Told,
    st.floats(0, 20),
    st.sampled_from(["decode-0", "decode-1"]),
    st.none() | st.floats(0, 4),
    st.booleans(),
)


@settings(deadline=None)
@given(st.lists(told, max_size=40), st.integers(0, 10), st.floats(0.1, 50))
def test_policy_is_as_if_the_forgiven_deaths_had_never_been(
    history: list[Told], restarts_max: int, window_s: float
) -> None:
    """Held against a plain count over the whole history. Forgiveness never brings back a row that service had ended."""
    policy = RestartPolicy(restarts_max, window_s)
    deaths: list[tuple[float, str, int]] = []
    rows: dict[str, list[int]] = {"decode-0": [], "decode-1": []}
    now_s = 0.0
    for incarnation, event in enumerate(history):
        now_s += event.passes_s
        deaths.append((now_s, event.service, incarnation))
        is_early = event.served_s is None or event.served_s < EARLY_S
        rows[event.service] = [*rows[event.service], incarnation] if is_early else []
        delay_s = policy.died(event.service, incarnation, event.served_s, now_s)

        recent = sum(now_s - at_s <= window_s for at_s, _, _ in deaths)
        assert (delay_s is None) == (recent > restarts_max)
        assert delay_s is None or DELAY_S_MIN <= delay_s <= DELAY_S_MAX
        if event.is_forgiven:
            assert policy.forgive([incarnation])
            deaths.pop()
            if is_early:
                rows[event.service].pop()
        expected_s = min(DELAY_S_MIN * 2 ** max(len(rows[event.service]) - 1, 0), DELAY_S_MAX)
        # A row is remembered as far as it makes a difference.
        assert policy.delay_s(event.service) == expected_s or len(rows[event.service]) >= 6
        assert policy.deaths_lately(now_s) == sum(now_s - at_s <= window_s for at_s, _, _ in deaths)


def test_deaths_lately_are_those_inside_the_window() -> None:
    policy = RestartPolicy(10, 30.0)
    for at_s in (0.0, 10.0, 20.0):
        died(policy, at_s)

    assert [policy.deaths_lately(at_s) for at_s in (20.0, 30.5, 41.0, 60.0)] == [3, 2, 1, 0]
