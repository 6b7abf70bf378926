"""Snapshot: all that is known of a daemon at one moment, and how each message of the feed changes it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from omnishotd.cli.figures import Alert, Event, Health, Memory, Metrics, Services

STATE_CHANNELS: Final = ("metrics", "services", "memory")
"""Their messages are told at intervals, each in place of the one before."""

NEWS_CHANNELS: Final = ("alerts", "events")
"""Their messages are told once."""

EVENTS_MAX: Final = 64


class _Message(msgspec.Struct, frozen=True):
    """What the daemon sends, of whatever type."""

    type: str
    channel: str = ""
    snapshot: msgspec.Raw = msgspec.Raw(b"[]")
    data: msgspec.Raw = msgspec.Raw(b"null")
    message: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """The connection to the feed. Times are of the monotonic clock."""

    is_up: bool = False
    since_s: float = 0.0
    reason: str = ""
    """Why it is down; empty before the first try has ended."""
    retry_at_s: float = 0.0
    is_refused: bool = False
    """Down for want of the right token."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known; None is what has not been told yet."""

    link: Link = Link()
    heard_at_s: float | None = None
    """When the latest figures came, by the monotonic clock."""
    health: Health | None = None
    metrics: Metrics | None = None
    services: Services | None = None
    memory: Memory | None = None
    alerts: tuple[Alert, ...] = ()
    """Those that fire, and those resolved lately."""
    events: tuple[Event, ...] = ()
    """Oldest first."""
    answered: frozenset[str] = frozenset()
    """Channels that have been heard of since the connection stands, if only that there is no such."""
    faults: tuple[str, ...] = ()
    """What the daemon said was wrong with what we asked."""

    @property
    def is_complete(self) -> bool:
        """Tell whether there is a connection, and every channel has answered on it."""
        answers = len(self.faults) + len(self.answered)
        return self.link.is_up and answers >= len(STATE_CHANNELS) + len(NEWS_CHANNELS)

    def connected(self, now_s: float) -> "Snapshot":
        """Begin a connection: what is known stays until the daemon says better."""
        return replace(self, link=Link(is_up=True, since_s=now_s), answered=frozenset(), faults=())

    def disconnected(self, now_s: float, reason: str, retry_at_s: float, is_refused: bool = False) -> "Snapshot":
        """Note that the connection is lost, or could not be made."""
        since_s = now_s if self.link.is_up or not self.link.reason else self.link.since_s
        return replace(self, link=Link(False, since_s, reason, retry_at_s, is_refused))

    def told(self, content: str | bytes, now_s: float) -> "Snapshot":
        """Take one message of the feed. Raises msgspec.DecodeError if it is not as a daemon's."""
        message = msgspec.json.decode(content, type=_Message)
        if message.type == "error":
            return replace(self, faults=(*self.faults, message.message)[-EVENTS_MAX:])
        if message.type == "subscribed":
            return self._subscribed(message)
        return self._of_channel(message, now_s)

    def _subscribed(self, message: _Message) -> "Snapshot":
        if message.channel == "alerts":
            alerts = msgspec.json.decode(message.snapshot, type=list[Alert])
            return replace(self, alerts=tuple(alerts), answered=self.answered | {"alerts"})
        if message.channel == "events":
            events = msgspec.json.decode(message.snapshot, type=list[Event])
            return replace(self, events=_with(self.events, events), answered=self.answered | {"events"})
        # The first state follows at once, and is the answer.
        return self

    def _of_channel(self, message: _Message, now_s: float) -> "Snapshot":
        data, heard = message.data, self.answered | {message.type}
        match message.type:
            case "metrics":
                metrics = msgspec.json.decode(data, type=Metrics)
                return replace(self, metrics=metrics, alerts=tuple(metrics.alerts), heard_at_s=now_s, answered=heard)
            case "services":
                services = msgspec.json.decode(data, type=Services)
                return replace(self, services=services, heard_at_s=now_s, answered=heard)
            case "memory":
                memory = msgspec.json.decode(data, type=Memory)
                return replace(self, memory=memory, heard_at_s=now_s, answered=heard)
            case "alerts":
                alert = msgspec.json.decode(data, type=Alert)
                others = [known for known in self.alerts if known.name != alert.name]
                return replace(self, alerts=(*others, alert))
            case "events":
                return replace(self, events=_with(self.events, [msgspec.json.decode(data, type=Event)]))
            case _:
                # A newer daemon may have more to say.
                return self


def _with(known: Sequence[Event], told: Sequence[Event]) -> tuple[Event, ...]:
    # After a reconnection some are told again; a daemon that was started anew counts from the beginning.
    seen = {(event.id, event.at) for event in known}
    return (*known, *(event for event in told if (event.id, event.at) not in seen))[-EVENTS_MAX:]
