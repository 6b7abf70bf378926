"""Pauses: a time in which the broker did not run is nobody's fault."""

from omnishotd.broker.pauses import PAUSE_US_MIN, Pauses
from tests.omnishotd.broker.rig import MS, Rig, make_settings


def pauses_that_expect(turn_us: int, wait_ms: int) -> Pauses:
    pauses = Pauses()
    pauses.expect(turn_us, wait_ms)
    return pauses


def test_first_turn_is_never_late() -> None:
    assert Pauses().gap_us(1 << 40) == 0


def test_turn_as_late_as_it_asked_for_or_a_little_more_is_no_pause() -> None:
    pauses = pauses_that_expect(5, 250)

    assert pauses.gap_us(5) == 0
    assert pauses.gap_us(5 + 250 * MS + PAUSE_US_MIN - 1) == 0


def test_turn_that_is_much_too_late_tells_by_how_much() -> None:
    assert pauses_that_expect(5, 250).gap_us(5 + 250 * MS + 3_000 * MS) == 3_000 * MS


def test_workers_have_what_was_left_of_their_time_after_a_pause() -> None:
    rig = Rig()
    rig.submit("f")
    rig.wait(4_000 * MS)
    rig.flow.excuse(60_000 * MS)

    assert rig.wait(61_000 * MS) == []
    assert rig.flow.next_us() == rig.now_us + 1
    assert len(rig.wait(1)) == 1


def test_canary_has_what_was_left_of_its_time_after_a_pause() -> None:
    rig = Rig(canaries=True)
    rig.work()
    assert rig.held[0].task.is_canary
    rig.flow.excuse(600_000 * MS)
    rig.now_us += 600_000 * MS
    rig.flow.pass_time(rig.now_us)
    rig.finish()

    assert rig.flow.canary.figures().passed > 0
    assert rig.flow.canary.figures().failed == 0


def test_frame_whose_deadline_passed_during_a_pause_is_expired_all_the_same() -> None:
    """Who sent it has waited in real time."""
    rig = Rig(make_settings(queue_timeout_ms=1_000))
    rig.submit("f")
    rig.flow.excuse(60_000 * MS)
    rig.wait(60_000 * MS)

    assert rig.replies("f") == ["EXPIRED"]
