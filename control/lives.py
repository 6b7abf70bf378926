"""The successive processes of one service, and the newest message of each that may still speak.

A process that has a successor is dead, but its last message may still be on its way. For `GRACE_S` it is waited for;
then the life is *settled*: handed over once, to be added to the sums, and never listened to again. So sums only grow,
and only a handful of lives is remembered. Pure: the caller says what time it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

GRACE_S: Final = 1.0
"""A local socket delivers within milliseconds; more is needed only when this process is starved."""
REMEMBERED_MAX: Final = 4


class Telling(Protocol):
    """A telemetry message, as far as its order matters."""

    @property
    def incarnation(self) -> int:
        """Number of the process that tells."""

    @property
    def sequence(self) -> int:
        """Number of the message in that process's life."""

    @property
    def at_s(self) -> float:
        """When the figures were taken."""


Told = TypeVar("Told", bound=Telling)


@dataclass(frozen=True, slots=True)
class Heard(Generic[Told]):
    """A message, and the moment of its figures: never later than the moment it was heard."""

    message: Told
    at_s: float

    def age_s(self, now_s: float) -> float:
        """How old the figures are."""
        return max(now_s - self.at_s, 0.0)


class Lives(Generic[Told]):
    """The lives of one service. Incarnations' numbers grow, so the highest is the present process."""

    def __init__(self) -> None:
        self._heard: dict[int, Heard[Told]] = {}
        self._superseded_at_s: dict[int, float] = {}
        self._settled_incarnation = -1

    @property
    def newest(self) -> Heard[Told] | None:
        """The newest message of the present process."""
        return self._heard[max(self._heard)] if self._heard else None

    @property
    def messages(self) -> list[Told]:
        """The newest message of each life that is not settled."""
        return [heard.message for heard in self._heard.values()]

    def take(self, message: Told, now_s: float) -> bool:
        """Hear a message. False if it is older than what is known, or comes from a life that is settled."""
        incarnation = message.incarnation
        known = self._heard.get(incarnation)
        if incarnation <= self._settled_incarnation or (known and known.message.sequence >= message.sequence):
            return False
        self._heard[incarnation] = Heard(message, min(message.at_s, now_s))
        present = max(self._heard)
        for earlier in self._heard:
            if earlier != present:
                self._superseded_at_s.setdefault(earlier, now_s)
        return True

    @property
    def settled_incarnation(self) -> int:
        """The last process that is settled; -1 if none is."""
        return self._settled_incarnation

    def restore(self, messages: Iterable[Told], settled_incarnation: int, now_s: float) -> None:
        """Take up what another collector knew."""
        self._settled_incarnation = settled_incarnation
        for message in messages:
            self.take(message, now_s)

    def settle(self, now_s: float) -> list[Told]:
        """Give up the lives that ended long enough ago. Each is returned once, to be added to the sums."""
        settled = []
        for incarnation in sorted(self._superseded_at_s):
            is_over = now_s - self._superseded_at_s[incarnation] >= GRACE_S
            if is_over or len(self._superseded_at_s) > REMEMBERED_MAX:
                del self._superseded_at_s[incarnation]
                settled.append(self._heard.pop(incarnation).message)
                self._settled_incarnation = max(self._settled_incarnation, incarnation)
        return settled
