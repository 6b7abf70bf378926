"""Watchdog: when the service manager is to hear that the supervisor's loop turns. Pure: the caller knows the time.

The loop alone calls `offer`: no thread and no timer ever speaks for a loop that stands still.
"""

from collections.abc import MutableMapping
from typing import Final

_PINGS: Final = 3
"""Within the time that systemd waits (WatchdogSec=): one may come late, and one more."""


class Watchdog:
    """Says when the next ping is due; never, where nobody waits for one."""

    def __init__(self, timeout_s: float | None) -> None:
        self._interval_s = timeout_s / _PINGS if timeout_s else None
        self._due_at_s: float | None = None

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str], pid: int) -> "Watchdog":
        """Read what sd_watchdog_enabled(3) describes, and take it out: it is not for children."""
        timeout_us = environment.pop("WATCHDOG_USEC", "")
        for_pid = environment.pop("WATCHDOG_PID", "")
        is_ours = for_pid in {"", str(pid)}
        is_said = timeout_us.isascii() and timeout_us.isdecimal() and int(timeout_us) > 0
        return cls(int(timeout_us) / 1e6 if is_ours and is_said else None)

    def offer(self, now_s: float) -> bool:
        """Tell whether a ping is due now; true counts as sent."""
        if self._interval_s is None or (self._due_at_s is not None and now_s < self._due_at_s):
            return False
        self._due_at_s = now_s + self._interval_s
        return True

    def due_in_ms(self, now_s: float) -> int | None:
        """How long the loop may sleep; None: as long as it likes."""
        if self._interval_s is None or self._due_at_s is None:
            return None
        return max(0, int((self._due_at_s - now_s) * 1000) + 1)
