"""The nemesis strikes by a plan that comes again, and holds to its weights."""

import itertools
from collections import Counter

import pytest

from tests.chaos.plan import HARM_WEIGHTS, PAUSE_S, REST_S, TARGET_WEIGHTS, Harm, chosen, make_plan

LONG_S = 20_000.0


def test_same_seed_makes_the_same_plan_and_another_seed_another() -> None:
    assert make_plan(1, 120.0) == make_plan(1, 120.0)
    assert make_plan(1, 120.0) != make_plan(2, 120.0)


def test_longer_run_begins_like_a_shorter_one() -> None:
    short = make_plan(1, 30.0)

    assert make_plan(1, 120.0)[: len(short)] == short


def test_strikes_keep_their_distance_and_end_with_the_run() -> None:
    plan = make_plan(3, LONG_S)
    times_s = [0.0, *(strike.at_s for strike in plan)]

    assert all(REST_S[0] <= later - earlier <= REST_S[1] for earlier, later in itertools.pairwise(times_s))
    assert LONG_S - REST_S[1] < times_s[-1] < LONG_S


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_minutes_hold_at_least_60_strikes_that_kill(seed: int) -> None:
    harms = Counter(strike.harm for strike in make_plan(seed, 120.0))

    assert harms.total() - harms[Harm.PAUSE] >= 60


def test_targets_and_harms_come_by_their_weights() -> None:
    plan = make_plan(4, LONG_S)
    percent = 100 / len(plan)

    for found, weights in (
        (Counter(strike.target for strike in plan), TARGET_WEIGHTS),
        (Counter(strike.harm for strike in plan), HARM_WEIGHTS),
    ):
        assert sum(weights.values()) == 100
        assert {name: count * percent for name, count in found.items()} == pytest.approx(weights, abs=2)


def test_only_a_pause_ends_and_it_ends_in_time() -> None:
    for strike in make_plan(5, LONG_S):
        if strike.harm is Harm.PAUSE:
            assert PAUSE_S[0] <= strike.pause_s <= PAUSE_S[1]
        else:
            assert strike.pause_s == 0.0


def test_victim_is_chosen_evenly_and_whatever_order_they_are_listed_in() -> None:
    assert [chosen([30, 10, 20], choice) for choice in (0.0, 0.34, 0.67, 0.999)] == [10, 20, 30, 30]
    assert chosen([], 0.5) is None
