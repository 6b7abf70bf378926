"""Pace: when a producer sends its next frame, which one that is, and when it is told to stop."""

import os
import select
import sys
import time
from typing import Final

IN_FLIGHT_MAX: Final = 8


class Pace:
    """The order in which one of several producers sends, at so many frames a second."""

    def __init__(self, index: int, producers: int, rate: float) -> None:
        self._number = index
        self._producers = producers
        self._interval_s = 1 / rate
        self._next_s = time.monotonic()
        self.is_over = False
        """Whether nothing new is to be sent."""

    def next_number(self, in_flight: int) -> int | None:
        """Return the number of a frame that is due now, or None. What could not be sent in time is not made up for."""
        now_s = time.monotonic()
        if self.is_over or in_flight >= IN_FLIGHT_MAX or now_s < self._next_s:
            return None
        self._next_s = max(self._next_s, now_s - self._interval_s) + self._interval_s
        number = self._number
        self._number += self._producers
        return number

    def rest_s(self) -> float:
        """How long nothing is due, at most a twentieth of a second."""
        return min(max(self._next_s - time.monotonic(), 0.001), 0.05)

    def look(self) -> None:
        """See whether who started this producer has closed its standard input: then it is over."""
        if not self.is_over and select.select([sys.stdin], [], [], 0)[0]:
            self.is_over = not os.read(sys.stdin.fileno(), 1)
