"""The awake clock, moved by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnishotd.supervisor.clock import SLACK_S, AwakeClock


class Hand:
    """The source of time: a test moves it."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def read(self) -> float:
        return self.at_s


def test_turn_that_comes_as_asked_for_moves_the_clock_by_what_has_passed() -> None:
    hand = Hand()
    clock = AwakeClock(hand.read)
    hand.at_s += 0.25

    assert clock.turn(0.25) == 0
    assert clock.now_s == 1000.25


def test_stop_of_an_hour_moves_the_clock_by_the_wait_and_its_slack() -> None:
    hand = Hand()
    clock = AwakeClock(hand.read)
    hand.at_s += 3600

    assert clock.turn(0.25) == pytest.approx(3600 - 0.25 - SLACK_S)
    assert clock.now_s == pytest.approx(1000.25 + SLACK_S)
    hand.at_s += 0.1
    assert clock.turn(0.25) == 0
    assert clock.now_s == pytest.approx(1000.35 + SLACK_S)


def test_clock_stands_within_a_turn() -> None:
    hand = Hand()
    clock = AwakeClock(hand.read)
    hand.at_s += 60

    assert clock.now_s == 1000


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1e6)), max_size=30))
def test_clock_moves_by_the_less_of_what_passed_and_what_a_turn_may_take(turns: list[tuple[float, float]]) -> None:
    hand = Hand()
    clock = AwakeClock(hand.read)
    for asked_s, passed_s in turns:
        before_s = clock.now_s
        hand.at_s += passed_s
        lost_s = clock.turn(asked_s)
        assert lost_s >= 0
        assert clock.now_s - before_s == pytest.approx(min(passed_s, asked_s + SLACK_S), abs=1e-6)
        assert clock.now_s >= before_s
