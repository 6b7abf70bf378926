"""Tally: which frames of a child count, and what is told of them."""

from typing import Final

from perf.contender import Run
from perf.messages import Window

_FOREVER_NS: Final = 1 << 62


class Tally:
    """Frames as they are finished. Until the window is known none counts.

    The first one in the window only tells when the time begins: so neither a half done frame nor a half idle moment at
    either end makes a rate that is too high or too low, as it would with few and slow frames.
    """

    def __init__(self) -> None:
        self._begin_ns = self.until_ns = _FOREVER_NS
        self._first_ns = self._last_ns = 0
        self._latency_us: list[int] = []
        self.frames_in_all = 0

    def open(self, window: Window) -> None:
        """Let those count that are finished within a time."""
        self._begin_ns, self.until_ns = window.begin_ns, window.until_ns

    def note(self, since_ns: int, now_ns: int) -> bool:
        """Take in a finished frame. Returns whether it counts."""
        self.frames_in_all += 1
        if not self._begin_ns <= now_ns <= self.until_ns:
            return False
        self._last_ns = now_ns
        if not self._first_ns:
            self._first_ns = now_ns
            return False
        self._latency_us.append((now_ns - since_ns) // 1000)
        return True

    def run(self, inside_us: list[int]) -> Run:
        """Tell what was seen."""
        seconds = (self._last_ns - self._first_ns) / 1e9
        return Run(len(self._latency_us), seconds, self._latency_us, self.frames_in_all, inside_us)
