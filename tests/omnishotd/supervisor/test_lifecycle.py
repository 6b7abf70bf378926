"""The table of a service's life, edge by edge."""

import itertools

import pytest

from omnishotd.supervisor.lifecycle import (
    LIVE_STATES,
    STOPPABLE_STATES,
    TRANSITIONS,
    IllegalTransition,
    ServiceEvent,
    ServiceState,
    advance,
)

S, E = ServiceState, ServiceEvent


@pytest.mark.parametrize(("state", "event"), list(itertools.product(ServiceState, ServiceEvent)))
def test_event_leads_where_the_table_says_or_is_a_bug(state: ServiceState, event: ServiceEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert advance(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(IllegalTransition, match=f"{event.name} in state {state.name}"):
            advance(state, event)


def walk(*events: ServiceEvent) -> ServiceState:
    state = S.STOPPED
    for event in events:
        state = advance(state, event)
    return state


@pytest.mark.parametrize(
    ("events", "end"),
    [
        ([E.SPAWN, E.READY], S.READY),
        ([E.SPAWN, E.READY, E.ORDER_STOP, E.EXIT], S.STOPPED),
        ([E.SPAWN, E.READY, E.EXIT, E.SPAWN, E.READY], S.READY),
        ([E.SPAWN, E.EXIT, E.ORDER_STOP], S.STOPPED),
        ([E.SPAWN, E.ORDER_STOP, E.READY, E.EXIT, E.SPAWN], S.SPAWNING),
        ([E.SPAWN, E.READY, E.GIVE_UP, E.ORDER_STOP, E.SPAWN], S.SPAWNING),
        ([E.SPAWN, E.READY, E.SUCCEED, E.READY], S.READY),
        ([E.SPAWN, E.READY, E.GIVE_UP, E.RELENT, E.SPAWN], S.SPAWNING),
    ],
)
def test_life_ends_where_its_events_lead(events: list[ServiceEvent], end: ServiceState) -> None:
    assert walk(*events) is end


def test_process_begins_only_with_spawn_and_ends_only_with_exit_or_giving_up() -> None:
    for (state, event), target in TRANSITIONS.items():
        if state not in LIVE_STATES and target in LIVE_STATES:
            assert event is E.SPAWN
        if state in LIVE_STATES and target not in LIVE_STATES:
            assert event in {E.EXIT, E.GIVE_UP}


def test_every_live_process_can_end() -> None:
    for state in LIVE_STATES:
        assert (state, E.EXIT) in TRANSITIONS


def test_everything_that_is_not_stopping_or_stopped_can_be_stopped() -> None:
    assert set(ServiceState) - {S.STOPPED, S.DRAINING} == STOPPABLE_STATES
