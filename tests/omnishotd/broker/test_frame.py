"""The states of a frame."""

import itertools

import pytest

from omnishotd.broker.frame import TRANSITIONS, FrameEvent, FrameState, InvariantError
from tests.omnishotd.broker.rig import make_frame


@pytest.mark.parametrize(("state", "event"), list(itertools.product(FrameState, FrameEvent)))
def test_event_leads_where_the_table_says_or_is_a_bug(state: FrameState, event: FrameEvent) -> None:
    frame = make_frame(0)
    frame.state = state
    if (state, event) in TRANSITIONS:
        frame.advance(event)
        assert frame.state is TRANSITIONS[state, event]
    else:
        with pytest.raises(InvariantError, match=event.name):
            frame.advance(event)
        assert frame.state is state


def test_finished_is_final_and_every_state_leads_to_it() -> None:
    assert not any(state is FrameState.FINISHED for state, _ in TRANSITIONS)
    assert {state for (state, event), target in TRANSITIONS.items() if target is FrameState.FINISHED} == {
        FrameState.WAITING,
        FrameState.WORKING,
        FrameState.RECALLED,
        FrameState.ABANDONED,
    }


def test_frame_that_no_worker_died_with_was_attempted_once() -> None:
    assert make_frame(0).attempts == 1
