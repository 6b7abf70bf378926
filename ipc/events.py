"""Events: what happened, for operators. Each process keeps its latest and sends them with its telemetry.

Telemetry may be lost, so every message carries all events that are kept, and whoever collects them takes each once, by
its number. Nothing but a reader's eye depends on them.
"""

from collections import deque
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from ipc.messages import Message

EVENTS_MAX: Final = 64
"""Events that a process keeps: more happen between two messages only where a look at the log is due anyway."""
DETAIL_LENGTH_MAX: Final = 200

Detail = Annotated[str, Meta(max_length=DETAIL_LENGTH_MAX)]
"""One line for people."""


class EventKind(StrEnum):
    """What can happen. Users' programs read these words."""

    DAEMON_READY = "daemon_ready"
    DAEMON_DRAINING = "daemon_draining"
    WORKER_READY = "worker_ready"
    WORKER_EXITED = "worker_exited"
    BROKER_READY = "broker_ready"
    BROKER_EXITED = "broker_exited"
    CONTROL_READY = "control_ready"
    CONTROL_EXITED = "control_exited"
    RELOADED = "reloaded"
    """The configuration was read again."""
    GAVE_UP = "gave_up"
    """A service died too often and is not started again."""
    QUARANTINED = "quarantined"
    """A payload killed its workers and is refused from now on."""
    EXAMINED = "examined"
    """An operator asked a process for its memory."""


class Event(Message, frozen=True):
    """One thing that happened."""

    number: Annotated[int, Meta(ge=1)]
    """Counts up in the process that tells."""
    at: Annotated[str, Meta(max_length=40)]
    """Wall clock, ISO 8601, for display only."""
    event: EventKind
    service: Annotated[str, Meta(max_length=64)]
    """Whom it happened to."""
    detail: Detail = ""


class EventLog:
    """The latest events of one process."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=EVENTS_MAX)
        self._last_number = 0

    def add(self, event: EventKind, service: str, detail: str = "") -> None:
        """Note that something happened now. A detail that is too long is cut."""
        self._last_number += 1
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._events.append(Event(self._last_number, at, event, service, detail[:DETAIL_LENGTH_MAX]))

    @property
    def latest(self) -> list[Event]:
        """Oldest first."""
        return list(self._events)
