"""Chronicle: the latest events of all processes, each taken once, however often telemetry repeats it. Pure."""

from collections import deque
from typing import Final

import msgspec

from ipc.events import Event
from ipc.telemetry import BrokerTelemetry, SupervisorTelemetry

NOTES_MAX: Final = 64
TELLERS_MAX: Final = 64
"""Processes whose last event is remembered: the supervisor, and the latest brokers."""


class EventNote(msgspec.Struct, frozen=True):
    """One event, as it is shown on the feed."""

    id: str
    """Unique for the life of the daemon: who connects again can tell what he has seen."""
    at: str
    """Wall clock, ISO 8601."""
    event: str
    service: str
    detail: str


class Chronicle:
    """Keeps the latest events of all."""

    def __init__(self) -> None:
        self._notes: deque[EventNote] = deque(maxlen=NOTES_MAX)
        self._last_numbers: dict[str, int] = {}

    @property
    def latest(self) -> list[EventNote]:
        """Oldest first."""
        return list(self._notes)

    def take(self, message: BrokerTelemetry | SupervisorTelemetry) -> list[EventNote]:
        """Take the events of a message, and return those that are new."""
        name = "broker" if isinstance(message, BrokerTelemetry) else "supervisor"
        teller = f"{name}-{message.incarnation}"
        last_number = self._last_numbers.pop(teller, 0)
        notes = [_note(teller, event) for event in message.events if event.number > last_number]
        self._last_numbers[teller] = max([last_number, *(event.number for event in message.events)])
        if len(self._last_numbers) > TELLERS_MAX:
            del self._last_numbers[next(iter(self._last_numbers))]
        self._notes.extend(notes)
        return notes


def _note(teller: str, event: Event) -> EventNote:
    return EventNote(f"{teller}-{event.number}", event.at, event.event.value, event.service, event.detail)
