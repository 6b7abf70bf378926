"""The quarantine of payloads."""

from omnishotd.broker.quarantine import AGE_US_MAX, COUNT_MAX, Quarantine


def test_payload_is_held_until_its_time_is_over() -> None:
    quarantine = Quarantine()
    quarantine.add(666, 100)

    assert quarantine.holds(666, 99 + AGE_US_MAX)
    assert not quarantine.holds(7, 100)
    assert not quarantine.holds(666, 100 + AGE_US_MAX)
    assert len(quarantine) == 0


def test_payload_that_is_poison_again_is_held_anew() -> None:
    quarantine = Quarantine()
    quarantine.add(666, 0)
    quarantine.add(5, 1)
    quarantine.add(666, 2)

    assert quarantine.holds(666, 1 + AGE_US_MAX)
    assert not quarantine.holds(5, 1 + AGE_US_MAX)


def test_oldest_payload_makes_room_for_one_too_many() -> None:
    quarantine = Quarantine()
    for number in range(COUNT_MAX + 1):
        quarantine.add(number, 0)

    assert len(quarantine) == COUNT_MAX
    assert not quarantine.holds(0, 1)
    assert quarantine.holds(1, 1)
