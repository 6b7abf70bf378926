"""Alerts: when they fire, when they are resolved, and what is said of them."""

from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.alerts import (
    RESOLVES_AFTER_S,
    SHOWN_S,
    TRANSITIONS,
    UNKNOWN_S,
    Alert,
    AlertState,
    IllegalTransition,
    Phase,
    Sight,
    advance,
)
from control.observer import Observer
from control.readings import Readings
from control.rules import FIRES_AFTER_S, RULES
from tests.control.support import make_broker, make_settings, make_supervisor
from tests.control.watching import STEP_S, Watching, states

FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED


def queue(length: int | None) -> Readings:
    return Readings(queue_length=length)


def test_alert_fires_once_after_its_value_has_stayed_at_the_threshold() -> None:
    watching = Watching()

    assert watching.see(queue(20), FIRES_AFTER_S - STEP_S) == []
    assert watching.see(queue(21)) == [
        Alert("queue_length", FIRING, 21, 20, "at 1005", "21 frames wait for a worker; the threshold is 20.")
    ]
    assert watching.see(queue(25), 60) == []
    assert [(alert.value, alert.since) for alert in watching.board.firing] == [(25, "at 1005")]


def test_alert_does_not_fire_below_its_threshold() -> None:
    watching = Watching()

    assert watching.see(queue(19), 60) == []
    assert watching.board.firing == watching.board.shown == []


def test_alert_does_not_fire_when_the_value_was_low_in_between() -> None:
    watching = Watching()

    for _ in range(10):
        watching.see(queue(30), FIRES_AFTER_S - STEP_S)
        watching.see(queue(17))

    assert watching.told == []


def test_alert_of_a_value_that_dithers_around_the_threshold_fires_once() -> None:
    watching = Watching()

    for _ in range(30):
        watching.see(queue(20))
        watching.see(queue(19))

    assert states(watching.told) == [("queue_length", FIRING)]


def test_alert_fires_only_while_the_threshold_is_reached() -> None:
    watching = Watching()
    watching.see(queue(20))

    assert watching.see(queue(19), 60) == []
    assert states(watching.see(queue(20))) == [("queue_length", FIRING)]


def test_alert_is_resolved_when_the_value_has_stayed_well_below_the_threshold() -> None:
    watching = Watching()
    watching.see(queue(20), FIRES_AFTER_S)

    assert watching.see(queue(18), 60) == []
    assert watching.see(queue(17), RESOLVES_AFTER_S - STEP_S) == []
    assert len(watching.board.firing) == 1
    at = f"at {watching.now_s:g}"
    assert watching.see(queue(3)) == [
        Alert("queue_length", RESOLVED, 3, 20, at, "3 frames wait for a worker; the threshold is 20.")
    ]
    assert watching.board.firing == []


def test_firing_alert_whose_value_is_low_says_that_it_is_about_to_be_resolved() -> None:
    watching = Watching()
    watching.see(queue(20), FIRES_AFTER_S)
    assert "Resolved if" not in watching.board.firing[0].detail

    watching.see(queue(0), STEP_S)
    assert watching.board.firing[0].detail == (
        f"0 frames wait for a worker; the threshold is 20. Resolved if that lasts for {RESOLVES_AFTER_S:g} s."
    )
    watching.see(queue(0), RESOLVES_AFTER_S)
    assert "Resolved if" not in watching.board.shown[0].detail


def test_alert_is_not_resolved_when_the_value_rose_in_between() -> None:
    watching = Watching()
    watching.see(queue(20), FIRES_AFTER_S)

    for length in (18, 30):
        watching.see(queue(0), RESOLVES_AFTER_S - STEP_S)
        watching.see(queue(length))
    watching.see(queue(0), RESOLVES_AFTER_S - STEP_S)

    assert states(watching.told) == [("queue_length", FIRING)]


def test_resolved_alert_is_shown_for_a_while_and_gives_way_to_one_that_fires_again() -> None:
    watching = Watching()
    watching.see(queue(20), FIRES_AFTER_S)
    watching.see(queue(0), RESOLVES_AFTER_S)
    assert states(watching.board.shown) == [("queue_length", RESOLVED)]

    watching.see(queue(20), FIRES_AFTER_S)
    assert states(watching.board.shown) == [("queue_length", FIRING)]

    watching.see(queue(0), RESOLVES_AFTER_S + SHOWN_S - STEP_S)
    assert states(watching.board.shown) == [("queue_length", RESOLVED)]
    watching.see(queue(0), 2 * STEP_S)
    assert watching.board.shown == []


def test_unknown_value_lets_nothing_fire_and_resolves_nothing_for_a_while() -> None:
    watching = Watching()
    watching.see(queue(20), FIRES_AFTER_S - STEP_S)

    assert watching.see(queue(None), 20) == []
    assert states(watching.see(queue(20), STEP_S)) == [("queue_length", FIRING)]
    watching.see(queue(0), RESOLVES_AFTER_S - 2 * STEP_S)
    assert watching.see(queue(None), UNKNOWN_S - STEP_S) == []
    assert "Not measured for" in watching.board.firing[0].detail
    assert states(watching.see(queue(0), 2 * STEP_S)) == [("queue_length", RESOLVED)]


def test_alert_whose_value_stays_unknown_is_resolved_and_says_why() -> None:
    watching = Watching()
    watching.see(queue(44), FIRES_AFTER_S)

    assert watching.see(queue(None), UNKNOWN_S + RESOLVES_AFTER_S - 2 * STEP_S) == []
    (resolved,) = watching.see(queue(None))

    assert (resolved.state, resolved.value) == (RESOLVED, 44)
    assert resolved.detail == "Not measured for 40 s. Before: 44 frames wait for a worker; the threshold is 20."


def test_value_that_is_no_number_is_unknown() -> None:
    watching = Watching()

    assert watching.see(Readings(memory_percent=float("nan")), 60) == []
    assert watching.see(Readings(memory_percent=float("inf")), 20) == []


def test_time_in_which_nobody_looked_does_not_count_as_lasting() -> None:
    """A control plane that stood still has seen two values, not what was between them."""
    watching = Watching()
    watching.see(queue(20))
    watching.now_s += 3600

    assert watching.see(queue(20)) == []
    for _ in range(10):
        watching.now_s -= 10_000
        assert watching.see(queue(20)) == []


def test_threshold_of_zero_turns_an_alert_off() -> None:
    settings = make_settings()
    alerts = msgspec.structs.replace(settings.alerts, queue_length=0)
    watching = Watching(msgspec.structs.replace(settings, alerts=alerts))

    assert watching.see(queue(10_000), 60) == []


def test_board_of_a_new_process_goes_on_with_what_was_told_before() -> None:
    before = Watching()
    before.see(queue(20), FIRES_AFTER_S)
    watching = Watching()
    watching.board.restore([*before.board.firing, Alert("gone", FIRING, 1, 1, "at 0", "A rule of an earlier release.")])

    assert watching.board.firing == before.board.firing
    assert watching.see(queue(25), FIRES_AFTER_S) == []
    assert [alert.since for alert in watching.board.firing] == ["at 1005"]
    assert states(watching.see(queue(0), RESOLVES_AFTER_S)) == [("queue_length", RESOLVED)]


def test_transitions_lead_everywhere_and_only_where_the_table_says() -> None:
    for phase, sight in product(Phase, Sight):
        if (phase, sight) in TRANSITIONS:
            assert advance(phase, sight) is TRANSITIONS[phase, sight]
        else:
            assert sight is Sight.LASTED
            with pytest.raises(IllegalTransition, match=f"LASTED in phase {phase.name}"):
                advance(phase, sight)
    assert set(TRANSITIONS.values()) == set(Phase)


@given(st.lists(st.tuples(st.sampled_from([None, 0, 17, 18, 19, 20, 40]), st.integers(1, 40)), max_size=30))
def test_whatever_the_value_does_alerts_alternate_and_have_their_reasons(walk: list[tuple[int | None, int]]) -> None:
    """Against the definition, over all that was seen: every firing had its 5 s, every resolution its 10 s."""
    watching = Watching()
    counted: list[int] = []
    silent = 0
    expected_next = FIRING
    for length, steps in walk:
        for _ in range(steps):
            silent = 0 if length is not None else silent + 1
            if length is not None:
                counted.append(length)
            elif silent * STEP_S > UNKNOWN_S:
                counted.append(0)
            for alert in watching.see(queue(length)):
                assert alert.state is expected_next
                if alert.state is FIRING:
                    lately = counted[-round(FIRES_AFTER_S / STEP_S) - 1 :]
                    assert counted[-1] >= 20
                    assert min(lately) >= 18
                    assert len(lately) > FIRES_AFTER_S / STEP_S
                    expected_next = RESOLVED
                else:
                    assert max(counted[-round(RESOLVES_AFTER_S / STEP_S) :]) < 18
                    expected_next = FIRING
    assert bool(watching.board.firing) is (expected_next is RESOLVED)
    assert len(watching.board.shown) <= len(RULES)


def test_broker_that_hangs_is_told_as_not_ready() -> None:
    observer = Observer(make_settings())
    observer.take(make_broker(at_s=0), 0)
    for second in range(12):
        observer.take(make_supervisor(sequence=second + 1, at_s=second), second)
        observer.judge(second)

    (alert,) = observer.alerts()
    assert alert.name == "not_ready"
    assert "broker: silent for 11.0 s" in alert.detail


def reconfigured(watching: Watching, queue_length: int) -> None:
    """Give the alerts another threshold, as a reload of the configuration does."""
    settings = make_settings()
    alerts = msgspec.structs.replace(settings.alerts, queue_length=queue_length)
    watching.board.reconfigure(msgspec.structs.replace(settings, alerts=alerts))


def test_lower_threshold_counts_from_the_next_look() -> None:
    watching = Watching()
    watching.see(queue(10), 60)
    reconfigured(watching, 10)

    assert states(watching.see(queue(10), FIRES_AFTER_S + STEP_S)) == [("queue_length", FIRING)]
    assert watching.board.firing[0].threshold == 10


def test_higher_threshold_resolves_what_fired_and_tells_it_once() -> None:
    watching = Watching()
    watching.see(queue(20), FIRES_AFTER_S)
    reconfigured(watching, 100)

    assert states(watching.see(queue(20), 60)) == [("queue_length", RESOLVED)]


def test_alert_that_is_turned_off_while_it_fires_is_resolved_and_says_why() -> None:
    watching = Watching()
    watching.see(queue(20), FIRES_AFTER_S)
    reconfigured(watching, 0)
    (resolved,) = watching.see(queue(500), 60)

    assert (resolved.state, resolved.threshold) == (RESOLVED, 0)
    assert resolved.detail == "No longer watched. Before: 20 frames wait for a worker; the threshold is 20."


def test_alert_that_is_turned_on_again_fires_again() -> None:
    watching = Watching()
    reconfigured(watching, 0)
    assert watching.see(queue(500), 60) == []
    reconfigured(watching, 20)

    assert states(watching.see(queue(500), 60)) == [("queue_length", FIRING)]
