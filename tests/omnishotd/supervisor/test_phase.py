"""The phases of the daemon, edge by edge."""

import itertools

import pytest

from omnishotd.supervisor.lifecycle import IllegalTransition
from omnishotd.supervisor.phase import PHASES, STOPPING, Phase, PhaseEvent, advance_phase


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(Phase, PhaseEvent)))
def test_event_leads_where_the_table_says_or_is_a_bug(phase: Phase, event: PhaseEvent) -> None:
    if (phase, event) in PHASES:
        assert advance_phase(phase, event) is PHASES[phase, event]
    else:
        with pytest.raises(IllegalTransition, match=f"{event.name} in phase {phase.name}"):
            advance_phase(phase, event)


def test_daemon_that_stops_never_serves_again_and_ends() -> None:
    for (phase, _), target in PHASES.items():
        assert phase not in STOPPING or target in STOPPING
    phase = Phase.SERVING
    for event in (PhaseEvent.DRAIN, PhaseEvent.STOP, PhaseEvent.WORKERS_ENDED, PhaseEvent.ALL_ENDED):
        phase = advance_phase(phase, event)

    assert phase is Phase.ENDED
    assert not any(phase is Phase.ENDED for phase, _ in PHASES)
