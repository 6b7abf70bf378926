"""Restart policy: how soon a service that died is started again, and when it is given up. Pure."""

from collections import deque
from typing import Final

DELAY_S_MIN: Final = 0.1
DELAY_S_MAX: Final = 5.0


class RestartPolicy:
    """Counts the deaths of one pool. Times are monotonic seconds."""

    def __init__(self, restarts_max: int, window_s: float) -> None:
        self._restarts_max = restarts_max
        self._window_s = window_s
        self._deaths: deque[float] = deque()

    def died(self, now_s: float) -> float | None:
        """Count a death. Returns after how many seconds to start again, or None: it died too often, give it up.

        The delay doubles with each death inside the window, so that a service that dies at once does not eat the host.
        """
        self._forget(now_s)
        self._deaths.append(now_s)
        if len(self._deaths) > self._restarts_max:
            return None
        return float(min(DELAY_S_MIN * 2 ** (len(self._deaths) - 1), DELAY_S_MAX))

    def deaths_lately(self, now_s: float) -> int:
        """Count the deaths inside the window."""
        self._forget(now_s)
        return len(self._deaths)

    def _forget(self, now_s: float) -> None:
        while self._deaths and now_s - self._deaths[0] > self._window_s:
            self._deaths.popleft()
