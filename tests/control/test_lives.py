"""Lives of a service: each is settled once, none is listened to afterwards, few are remembered."""

import pytest

from control.lives import GRACE_S, REMEMBERED_MAX, Lives
from ipc.telemetry import BrokerTelemetry
from tests.control.support import make_broker


@pytest.fixture
def lives() -> Lives[BrokerTelemetry]:
    return Lives()


def test_take_of_an_older_or_repeated_message_changes_nothing(lives: Lives[BrokerTelemetry]) -> None:
    assert lives.take(make_broker(sequence=2), 0)

    assert not lives.take(make_broker(sequence=1), 0)
    assert not lives.take(make_broker(sequence=2, is_draining=True), 0)
    assert lives.messages == [make_broker(sequence=2)]


def test_take_from_the_future_counts_as_heard_now(lives: Lives[BrokerTelemetry]) -> None:
    lives.take(make_broker(at_s=100), 10)

    assert lives.newest is not None
    assert lives.newest.age_s(15) == 5


def test_life_with_a_successor_is_listened_to_during_its_grace(lives: Lives[BrokerTelemetry]) -> None:
    lives.take(make_broker(incarnation=1, sequence=1), 0)
    lives.take(make_broker(incarnation=5, sequence=1), 10)

    assert lives.take(make_broker(incarnation=1, sequence=2), 10.5)
    assert lives.newest is not None
    assert lives.newest.message.incarnation == 5
    assert lives.settle(10.9) == []
    assert lives.settle(10 + GRACE_S) == [make_broker(incarnation=1, sequence=2)]


def test_life_that_is_settled_is_never_heard_nor_settled_again(lives: Lives[BrokerTelemetry]) -> None:
    lives.take(make_broker(incarnation=1), 0)
    lives.take(make_broker(incarnation=5), 0)
    lives.settle(GRACE_S)

    assert not lives.take(make_broker(incarnation=1, sequence=9), GRACE_S)
    assert not lives.take(make_broker(incarnation=0), GRACE_S)
    assert lives.settle(1000) == []
    assert lives.messages == [make_broker(incarnation=5)]


def test_life_first_heard_after_its_successor_is_settled_too(lives: Lives[BrokerTelemetry]) -> None:
    lives.take(make_broker(incarnation=5), 0)
    assert lives.take(make_broker(incarnation=1), 0)

    assert lives.settle(GRACE_S) == [make_broker(incarnation=1)]


def test_lives_that_follow_fast_are_settled_early_beyond_a_bound(lives: Lives[BrokerTelemetry]) -> None:
    settled = []
    for incarnation in range(100):
        lives.take(make_broker(incarnation=incarnation), 0)
        settled += lives.settle(0)
        assert len(lives.messages) <= REMEMBERED_MAX + 1

    assert [message.incarnation for message in settled] == list(range(100 - REMEMBERED_MAX - 1))
