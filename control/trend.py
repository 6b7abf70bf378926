"""Trend: whether a figure that is sampled now and then grows, and whether it would go on. Pure.

Every process takes memory while it warms up; what must be told from that is growth without an end. A process is looked
at in windows of seven points. A point is the lowest sample of its part of the window: what memory comes down to between
two pieces of work is what it really needs, so that a saw-tooth and single peaks do not count. A window shows growth
without an end if all of this holds:

- It rose by so much that it matters: `Window.growth_bytes_min`.
- It rose in each part, by a fair share. A step rises once, a cache that is full not at all. One jump is levelled out
  first, so that a leak is seen behind a start or behind one large picture, and one jump alone is no growth.
- It did not slow down: the last third rose by nearly as much as the first. What saturates with a time constant of less
  than about the window's length is acquitted here.
- It rose by more than twice what this process has given back before, as far as is remembered. So a slow saw-tooth is
  acquitted by its earlier teeth, and a restless process needs more to be accused than a quiet one.

Growth is measured against time and, where they are known, against frames: a leak under a load that comes and goes is
straight in frames only. A short window finds a leak within a minute; longer ones find the slow leaks, which must then
have had much longer to prove that they are no warm-up. What no criterion can know is that a straight rise would have
ended after the window; so a verdict is taken back (`Judge`) when the process goes on working and stays where it is.

Played by the tests: leaks from 4 MiB a minute are found after 38 to 50 s; growth that saturates with up to 22 s, fills
evenly within 25 s, or falls back within 28 s is not accused, nor are days of noise.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

POINTS: Final = 7
REMEMBERED: Final = 100
"""Points of a window's width that are kept: so far back goes the look at what was given back."""
SHARE_MIN: Final = 0.3
"""Of the mean rise: the least that every part must have."""
LATE_SHARE_MIN: Final = 0.7
"""Of the rise of the first third: the least that the last third must have."""
GIVEN_BACK_FACTOR: Final = 2
QUIET_S_MIN: Final = 180.0
"""At work without growth, until an accusation is taken back."""
FRAMES_MIN: Final = 20
"""Fewer say nothing about growth by the frame."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a figure was."""

    at_s: float
    bytes: int
    frames: int | None
    """That were done until then; None where the process does none."""


@dataclass(frozen=True, slots=True)
class Window:
    """How long to look, and what is too little to matter in that time."""

    part_s: float
    growth_bytes_min: int

    @property
    def span_s(self) -> float:
        """From the first of its points to the last, at even samples."""
        return self.part_s * (POINTS - 1)


WINDOWS: Final = (Window(6.0, 3 << 19), Window(90.0, 4 << 20), Window(1080.0, 8 << 20))
"""36 s and 1.5 MiB (2.5 MiB a minute), 9 minutes and 4 MiB (0.44), 1.8 hours and 8 MiB (0.07). Workers under a load of
mixed pictures were seen to move by 0.1 MiB once they were warm, and to be warm after seconds."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A straight line through the points of a window, after one jump was levelled out."""

    span_s: float
    bytes_per_s: float
    confidence: float
    """0 to 1, R squared; 0 where nothing moves."""
    frames: int | None
    """That were done between the first point and the last."""
    has_no_end: bool
    """Whether it fulfils all of the above."""

    @property
    def bytes_per_frame(self) -> float | None:
        """None where too few frames were done to tell."""
        if self.frames is None or self.frames < FRAMES_MIN:
            return None
        return self.bytes_per_s * self.span_s / self.frames


class LowPoints:
    """The lowest sample of each part of time, for one width of parts."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self._part = 0
        self._lowest: Sample | None = None
        self._points: deque[Sample] = deque(maxlen=REMEMBERED)

    def add(self, sample: Sample) -> bool:
        """Add a sample, no earlier than the last. True if a part came to its end by it."""
        part = int(sample.at_s // self.window.part_s)
        lowest = self._lowest
        if lowest is not None and part == self._part:
            if sample.bytes < lowest.bytes:
                self._lowest = sample
            return False
        self._part = part
        self._lowest = sample
        if lowest is None:
            return False
        self._points.append(lowest)
        return True

    def growth(self) -> Growth | None:
        """Judge the newest window; None until there are points enough."""
        if len(self._points) < POINTS:
            return None
        points = list(self._points)
        return judge(points[-POINTS:], self.window, given_back(points[: -POINTS + 1]))


class Judge:
    """Judges one process by all windows. What it once was accused of is not taken back because its load ended."""

    def __init__(self, windows: Sequence[Window] = WINDOWS) -> None:
        self._windows = [LowPoints(window) for window in windows]
        self._growths: list[Growth | None] = [None for _ in windows]
        self._newest: Sample | None = None
        self._accusation: _Accusation | None = None

    @property
    def is_growing(self) -> bool:
        """Whether the process stands accused."""
        return self._accusation is not None

    @property
    def growth(self) -> Growth | None:
        """What it stands accused of; else what the longest window shows that has points enough."""
        if self._accusation is not None:
            return self._accusation.growth
        return next((growth for growth in reversed(self._growths) if growth is not None), None)

    def add(self, sample: Sample) -> None:
        """Add a sample, no earlier than the last, of the same process."""
        for index, low_points in enumerate(self._windows):
            if low_points.add(sample):
                self._growths[index] = low_points.growth()
                self._look_at(self._growths[index], low_points.window, sample)
        if self._accusation is not None:
            self._accusation.pass_time(sample, self._newest)
            if self._accusation.is_over:
                self._accusation = None
        self._newest = sample

    def _look_at(self, growth: Growth | None, window: Window, sample: Sample) -> None:
        if growth is None or not growth.has_no_end:
            return
        if self._accusation is None:
            self._accusation = _Accusation(growth, window, sample.bytes - round(growth.bytes_per_s * growth.span_s))
        else:
            self._accusation.renew(growth, window)


class _Accusation:
    """A process was seen to grow without an end, and has not shown one since."""

    def __init__(self, growth: Growth, window: Window, base_bytes: int) -> None:
        self.growth = growth
        self.is_over = False
        self._window = window
        self._base_bytes = base_bytes
        self._highest_bytes = base_bytes
        self._quiet_s = 0.0

    def renew(self, growth: Growth, window: Window) -> None:
        self._quiet_s = 0.0
        if window.part_s >= self._window.part_s:
            self.growth, self._window = growth, window

    def pass_time(self, sample: Sample, before: Sample | None) -> None:
        """It is over when half of the growth was given back, or after long enough at work without any."""
        self._highest_bytes = max(self._highest_bytes, sample.bytes)
        if before is not None and (sample.frames is None or sample.frames != before.frames):
            self._quiet_s += min(sample.at_s - before.at_s, self._window.part_s)
        half_bytes = (self._highest_bytes - self._base_bytes) // 2
        gave_back = sample.bytes < self._base_bytes + half_bytes
        self.is_over = gave_back or self._quiet_s >= max(QUIET_S_MIN, 2 * self._window.span_s)


def judge(points: Sequence[Sample], window: Window, given_back_bytes: int) -> Growth:
    """Measure the growth through `POINTS` points, and tell whether it shows an end."""
    times = [point.at_s for point in points]
    rises = [float(later.bytes - earlier.bytes) for earlier, later in pairwise(points)]
    line = _Rise.of(times, rises)
    frames = [point.frames for point in points if point.frames is not None]
    lines = [line]
    if len(frames) == len(points) and min(later - earlier for earlier, later in pairwise(frames)) > 0:
        lines.append(_Rise.of(frames, rises))
    growth_bytes_min = max(window.growth_bytes_min, GIVEN_BACK_FACTOR * given_back_bytes)
    return Growth(
        span_s=times[-1] - times[0],
        bytes_per_s=line.slope,
        confidence=line.confidence,
        frames=frames[-1] - frames[0] if len(frames) == len(points) else None,
        has_no_end=any(candidate.has_no_end and candidate.total >= growth_bytes_min for candidate in lines),
    )


def given_back(points: Sequence[Sample]) -> int:
    """The deepest fall, from any point to any later one."""
    deepest = highest = 0
    for point in points:
        highest = max(highest, point.bytes)
        deepest = max(deepest, highest - point.bytes)
    return deepest


@dataclass(frozen=True, slots=True)
class _Rise:
    """Rises over steps of time or of frames, one jump levelled out."""

    rates: list[float]
    total: float
    slope: float
    confidence: float

    @classmethod
    def of(cls, positions: Sequence[float], rises: Sequence[float]) -> "_Rise":
        steps = [later - earlier for earlier, later in pairwise(positions)]
        rates = [rise / step for rise, step in zip(rises, steps, strict=True)]
        jump = max(range(len(rates)), key=rates.__getitem__)
        # The median of the others.
        rates[jump] = sorted(rates)[(len(rates) - 1) // 2]
        level = 0.0
        heights = [level]
        for rate, step in zip(rates, steps, strict=True):
            level += rate * step
            heights.append(level)
        slope, confidence = fit(positions, heights)
        return cls(rates, level, slope, confidence)

    @property
    def has_no_end(self) -> bool:
        rates = self.rates
        third = len(rates) // 3
        return (
            self.slope > 0
            and min(rates) >= SHARE_MIN * sum(rates) / len(rates)
            and sum(rates[-third:]) >= LATE_SHARE_MIN * sum(rates[:third])
        )


def fit(positions: Sequence[float], heights: Sequence[float]) -> tuple[float, float]:
    """Slope of the line by least squares, and R squared. Positions must not all be the same."""
    count = len(positions)
    position_mean, height_mean = sum(positions) / count, sum(heights) / count
    variance = sum((position - position_mean) ** 2 for position in positions)
    scatter = sum((height - height_mean) ** 2 for height in heights)
    together = sum((p - position_mean) * (h - height_mean) for p, h in zip(positions, heights, strict=True))
    if scatter == 0:
        return 0.0, 0.0
    return together / variance, together**2 / (variance * scatter)
