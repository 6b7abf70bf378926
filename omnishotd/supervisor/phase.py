"""Phases of the daemon as a whole: one literal table. Pure."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from omnishotd.supervisor.lifecycle import IllegalTransition


class Phase(Enum):
    """Where the daemon is."""

    STARTING = auto()
    SERVING = auto()
    DRAINING = auto()
    """Told to stop: accepted frames are finished, and whatever dies is still started again for them."""
    STOPPING_WORKERS = auto()
    STOPPING_REST = auto()
    """Workers have ended; broker and control plane follow."""
    ENDED = auto()


class PhaseEvent(Enum):
    """What can happen to the daemon."""

    ALL_READY = auto()
    DRAIN = auto()
    STOP = auto()
    WORKERS_ENDED = auto()
    ALL_ENDED = auto()


P, E = Phase, PhaseEvent
PHASES: Final[Mapping[tuple[Phase, PhaseEvent], Phase]] = {
    (P.STARTING, E.ALL_READY): P.SERVING,
    (P.STARTING, E.DRAIN): P.DRAINING,
    (P.SERVING, E.DRAIN): P.DRAINING,
    (P.STARTING, E.STOP): P.STOPPING_WORKERS,
    (P.SERVING, E.STOP): P.STOPPING_WORKERS,
    (P.DRAINING, E.STOP): P.STOPPING_WORKERS,
    (P.STOPPING_WORKERS, E.WORKERS_ENDED): P.STOPPING_REST,
    (P.STOPPING_REST, E.ALL_ENDED): P.ENDED,
}

STOPPING: Final = frozenset({P.STOPPING_WORKERS, P.STOPPING_REST, P.ENDED})
"""Nothing is started any more."""


def advance_phase(phase: Phase, event: PhaseEvent) -> Phase:
    """Return the phase that follows. Raises `IllegalTransition` for an edge that is not in the table."""
    target = PHASES.get((phase, event))
    if target is None:
        raise IllegalTransition(f"{event.name} in phase {phase.name}")
    return target
