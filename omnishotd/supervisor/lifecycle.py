"""Life of a service: its states, what can happen to it, and one literal table. Pure: no clock, no process.

SPAWNING -> READY -> DRAINING -> STOPPED
    |         |                     |
    v         v                     |
   BACKOFF or FAILED                |
    |                               |
    +--> SPAWNING <-----------------+

Besides: READY -> SPAWNING when a process dies whose successor is on its way, and FAILED -> BACKOFF when the deaths for
which a service was given up are forgiven.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum, auto
from typing import Final


class ServiceState(StrEnum):
    """Where a service is in its life; the words are those of the control plane."""

    SPAWNING = "spawning"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"
    BACKOFF = "backoff"
    FAILED = "failed"


class ServiceEvent(Enum):
    """What can happen to a service."""

    SPAWN = auto()
    """A process was started for it."""
    READY = auto()
    """Its process said that it serves."""
    ORDER_STOP = auto()
    """It is to end."""
    EXIT = auto()
    """Its process has ended, and there will be another."""
    SUCCEED = auto()
    """Its process has ended, and one that was started to replace it takes its place."""
    GIVE_UP = auto()
    """Its process has ended, and there will be no other."""
    RELENT = auto()
    """It was given up for deaths that turned out not to be its fault."""


S, E = ServiceState, ServiceEvent
TRANSITIONS: Final[Mapping[tuple[ServiceState, ServiceEvent], ServiceState]] = {
    (S.STOPPED, E.SPAWN): S.SPAWNING,
    (S.BACKOFF, E.SPAWN): S.SPAWNING,
    (S.SPAWNING, E.READY): S.READY,
    (S.DRAINING, E.READY): S.DRAINING,
    (S.SPAWNING, E.ORDER_STOP): S.DRAINING,
    (S.READY, E.ORDER_STOP): S.DRAINING,
    (S.BACKOFF, E.ORDER_STOP): S.STOPPED,
    (S.FAILED, E.ORDER_STOP): S.STOPPED,
    (S.SPAWNING, E.EXIT): S.BACKOFF,
    (S.READY, E.EXIT): S.BACKOFF,
    (S.DRAINING, E.EXIT): S.STOPPED,
    (S.READY, E.SUCCEED): S.SPAWNING,
    (S.SPAWNING, E.GIVE_UP): S.FAILED,
    (S.READY, E.GIVE_UP): S.FAILED,
    (S.BACKOFF, E.GIVE_UP): S.FAILED,
    (S.FAILED, E.RELENT): S.BACKOFF,
}

LIVE_STATES: Final = frozenset({S.SPAWNING, S.READY, S.DRAINING})
"""A process exists."""
STOPPABLE_STATES: Final = frozenset(state for state, event in TRANSITIONS if event is E.ORDER_STOP)


class IllegalTransition(AssertionError):
    """A bug in omnishotd. Please report it."""


def advance(state: ServiceState, event: ServiceEvent) -> ServiceState:
    """Return the state that follows. Raises `IllegalTransition` for an edge that is not in the table."""
    target = TRANSITIONS.get((state, event))
    if target is None:
        raise IllegalTransition(f"{event.name} in state {state.name}")
    return target
