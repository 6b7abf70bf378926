"""Who keeps a place when all are taken."""

from dataclasses import dataclass

import pytest

from control.places import Places


@dataclass(eq=False)
class Guest:
    """A connection, as far as its place goes."""

    is_busy: bool = False
    is_gone: bool = False

    def make_room(self) -> None:
        self.is_gone = True


@pytest.fixture
def guests() -> list[Guest]:
    return [Guest() for _ in range(4)]


def test_connection_that_waited_longest_makes_room(guests: list[Guest]) -> None:
    places = Places[Guest](3)

    assert all(places.take(guest) for guest in guests)
    assert [guest.is_gone for guest in guests] == [True, False, False, False]


def test_connection_that_was_answered_just_now_goes_last(guests: list[Guest]) -> None:
    places = Places[Guest](3)
    for guest in guests[:3]:
        places.take(guest)
    places.renew(guests[0])

    places.take(guests[3])

    assert [guest.is_gone for guest in guests] == [False, True, False, False]


def test_connection_that_is_being_answered_stays(guests: list[Guest]) -> None:
    places = Places[Guest](3)
    for guest in guests[:3]:
        places.take(guest)
    guests[0].is_busy = True

    places.take(guests[3])

    assert [guest.is_gone for guest in guests] == [False, True, False, False]


def test_newcomer_is_refused_when_all_others_are_being_answered(guests: list[Guest]) -> None:
    places = Places[Guest](3)
    for guest in guests[:3]:
        places.take(guest)
        guest.is_busy = True

    assert not places.take(guests[3])
    assert not any(guest.is_gone for guest in guests)


def test_place_that_is_given_back_is_free_and_may_be_given_back_twice(guests: list[Guest]) -> None:
    places = Places[Guest](3)
    for guest in guests[:3]:
        places.take(guest)
    places.leave(guests[1])
    places.leave(guests[1])

    assert places.take(guests[3])
    assert not any(guest.is_gone for guest in guests)


def test_connection_without_a_place_gets_none_by_being_answered(guests: list[Guest]) -> None:
    places = Places[Guest](1)
    places.renew(guests[0])

    assert places.take(guests[1])
    assert not guests[0].is_gone
