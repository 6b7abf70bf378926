"""Awake clock: monotonic time less the time in which the supervisor could not run.

A supervisor that was stopped (SIGSTOP, a frozen machine, a host without a free core) finds on waking that every
deadline has passed, although nobody could keep one: what its children said lies unread, or they were stopped with it.
So its deadlines are in this time. What leaves the process, as telemetry, is in real time.
"""

import time
from collections.abc import Callable
from typing import Final

SLACK_S: Final = 0.5
"""What one turn may take beyond the wait it asked for. A busy host delays a turn by less, a stop is seldom shorter."""


class AwakeClock:
    """Stands still within a turn: one that is stopped in the middle does not judge by the time it lost."""

    def __init__(self, read_s: Callable[[], float] = time.monotonic) -> None:
        self._read_s = read_s
        self._turned_at_s = read_s()
        self._lost_s = 0.0
        self.now_s = self._turned_at_s
        """Seconds of this clock, as of the present turn."""

    def turn(self, asked_s: float) -> float:
        """Begin a turn, after a wait of at most `asked_s`. Returns how long the process could not run, as a rule 0."""
        real_s = self._read_s()
        lost_s = max(0.0, real_s - self._turned_at_s - asked_s - SLACK_S)
        self._lost_s += lost_s
        self._turned_at_s = real_s
        self.now_s = real_s - self._lost_s
        return lost_s
