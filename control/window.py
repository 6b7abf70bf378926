"""A sliding window over a growing figure: its oldest and newest sample of the last seconds.

Pure: whoever adds a sample says what time it is.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

WINDOW_S: Final = 10.0
SPACING_S: Final = 0.25
"""Samples closer together than this are merged, which bounds their number."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Sample(Generic[Value]):
    """What a figure was, and when."""

    at_s: float
    value: Value


@dataclass(frozen=True, slots=True)
class Span(Generic[Value]):
    """The ends of the window; `oldest` is earlier than `newest`."""

    oldest: Sample[Value]
    newest: Sample[Value]


class Window(Generic[Value]):
    """Samples of the last `WINDOW_S` seconds."""

    def __init__(self) -> None:
        self._samples: deque[Sample[Value]] = deque(maxlen=2 * int(WINDOW_S / SPACING_S) + 3)

    def add(self, at_s: float, value: Value) -> None:
        """Add a sample. One that is earlier than the newest takes the newest's time."""
        samples = self._samples
        if samples:
            at_s = max(at_s, samples[-1].at_s)
        # The new one stands for the one before it only where it is hardly later: any two but neighbours are then at
        # least the spacing apart, and a sample that went has one in its place.
        if len(samples) >= 2 and at_s - samples[-2].at_s < SPACING_S:
            samples.pop()
        samples.append(Sample(at_s, value))

    def span(self, now_s: float) -> Span[Value] | None:
        """Oldest and newest sample that are not older than the window, or None without two of them apart in time."""
        while self._samples and now_s - self._samples[0].at_s > WINDOW_S:
            self._samples.popleft()
        if not self._samples or self._samples[-1].at_s <= self._samples[0].at_s:
            return None
        return Span(self._samples[0], self._samples[-1])
