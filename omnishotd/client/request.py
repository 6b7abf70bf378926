"""One request and where it stands between its caller and the final reply.

WAITING ──sent──> OUT ──busy──> RESTING        a final reply, the time limit or
   ^               │               │           the caller's cancellation ends each
   └──link lost────┴───────rested──┘
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from omnishotd.client.messages import Content


class Phase(Enum):
    """Where a request stands."""

    WAITING = auto()
    """To be sent as soon as the link is up and takes it."""
    OUT = auto()
    """Sent on the present link."""
    RESTING = auto()
    """Refused for now; will be sent again."""


class Event(Enum):
    """What moves a request from one phase to another."""

    SENT = auto()
    LINK_LOST = auto()
    BUSY = auto()
    RESTED = auto()


TRANSITIONS: Final[Mapping[tuple[Phase, Event], Phase]] = {
    (Phase.WAITING, Event.SENT): Phase.OUT,
    (Phase.OUT, Event.LINK_LOST): Phase.WAITING,
    (Phase.OUT, Event.BUSY): Phase.RESTING,
    (Phase.RESTING, Event.RESTED): Phase.WAITING,
}


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """How long a caller waits for the final reply, and until when, on the caller's monotonic clock."""

    timeout_s: float
    deadline_s: float


@dataclass(slots=True, eq=False)
class Request:
    """One request, owned by the table from `submit` to its end."""

    id: str
    header: bytes
    payload: bytes | memoryview | None
    limit: TimeLimit
    retry_when_busy: bool
    expects: type[Content]
    """What an `ok` reply to it says."""
    phase: Phase = Phase.WAITING
    sent_s: float = 0.0
    """When it went out last."""
    resume_s: float = 0.0
    losses: int = 0
    """Links that were lost with it out on them."""
    is_cancelled: bool = False
    """Whether its caller asked for its cancellation: then it is not sent again."""

    @property
    def may_try_again(self) -> bool:
        """Whether it goes out again after the daemon was too busy for it."""
        return self.retry_when_busy and not self.is_cancelled

    def advance(self, event: Event) -> None:
        """Change the phase. A KeyError is a bug in this module."""
        self.phase = TRANSITIONS[self.phase, event]
