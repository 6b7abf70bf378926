"""Restart policy: how soon a service that died is started again, and when it is given up. Pure."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

DELAY_S_MIN: Final = 0.1
DELAY_S_MAX: Final = 5.0
EARLY_S: Final = 2.0
"""Who dies before it has served this long would likely do so again at once."""
ROW_LENGTH_MAX: Final = 8
"""Early deaths that are remembered: with fewer the delay has reached its bound."""


@dataclass(frozen=True, slots=True)
class Death:
    """An end of a process that counts."""

    incarnation: int
    at_s: float


class RestartPolicy:
    """Counts the deaths of one pool. Times are those of the supervisor's awake clock."""

    def __init__(self, restarts_max: int, window_s: float) -> None:
        self.restarts_max = restarts_max
        self.window_s = window_s
        self._deaths: deque[Death] = deque()
        self._early: dict[str, deque[int]] = {}
        """Of each service, the processes that died early, in a row up to now."""

    def died(self, service: str, incarnation: int, served_s: float | None, now_s: float) -> float | None:
        """Count a death. Returns after how many seconds to start again, or None: the pool died too often, give it up.

        `served_s` is None for a process that never got ready.
        """
        if served_s is None or served_s < EARLY_S:
            self._note_early(service, incarnation)
        else:
            self._early.pop(service, None)
        self._deaths.append(Death(incarnation, now_s))
        return None if self.is_exhausted(now_s) else self.delay_s(service)

    def not_started(self, service: str, incarnation: int) -> float:
        """Note that a process could not even be started: nobody died, the host had no room. Returns the delay."""
        self._note_early(service, incarnation)
        return self.delay_s(service)

    def forgive(self, incarnations: Collection[int]) -> bool:
        """Take back deaths that were not the pool's fault. False if none of them was its."""
        kept = deque(death for death in self._deaths if death.incarnation not in incarnations)
        is_changed = len(kept) < len(self._deaths)
        self._deaths = kept
        for service, row in self._early.items():
            self._early[service] = deque((one for one in row if one not in incarnations), ROW_LENGTH_MAX)
        return is_changed

    def is_exhausted(self, now_s: float) -> bool:
        """Whether there were more deaths inside the window than there may be restarts."""
        return self.deaths_lately(now_s) > self.restarts_max

    def delay_s(self, service: str) -> float:
        """Return how long a service waits before its next start.

        It doubles with each early death in a row, so that a service that dies at once does not eat the host; one that
        served is missed, and comes back soon.
        """
        row = len(self._early.get(service, ()))
        return float(min(DELAY_S_MIN * 2 ** max(row - 1, 0), DELAY_S_MAX))

    def deaths_lately(self, now_s: float) -> int:
        """Count the deaths inside the window."""
        while self._deaths and now_s - self._deaths[0].at_s > self.window_s:
            self._deaths.popleft()
        return len(self._deaths)

    def _note_early(self, service: str, incarnation: int) -> None:
        self._early.setdefault(service, deque(maxlen=ROW_LENGTH_MAX)).append(incarnation)
