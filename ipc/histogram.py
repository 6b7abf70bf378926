"""Histogram of durations: log-linear buckets, the same everywhere, so that any two can be added.

Durations are whole microseconds. Each octave is divided into 16 equal buckets and everything below 32 us has a bucket
of its own, so a quantile read from the buckets is off by less than 1/32 (3.2 %) of the true value. The layout is that
of HdrHistogram (G. Tene) with a fixed unit and range.
"""

from collections.abc import Iterable
from math import ceil
from typing import Annotated, Final

from msgspec import Meta

from ipc.messages import Message

_OCTAVE_BITS: Final = 4
_EXACT_BITS: Final = _OCTAVE_BITS + 1
_VALUE_BITS: Final = 31

LIMIT_US: Final = (1 << _VALUE_BITS) - 1
"""Longest duration told apart, 35 minutes; longer ones are recorded as this."""
BUCKETS: Final = (_VALUE_BITS - _EXACT_BITS + 2) << _OCTAVE_BITS
RELATIVE_ERROR: Final = 1 / (1 << _EXACT_BITS)
"""Bound of the difference between a quantile and the recorded value at its rank, relative to that value."""

COUNT_MAX: Final = 1 << 53
"""Bound of every count that a process tells, and of sums of them: a float still has it exactly, and JSON a number."""

_Count = Annotated[int, Meta(ge=0, le=COUNT_MAX)]


class HistogramSnapshot(Message, frozen=True):
    """What was recorded so far: the buckets from the first to the last that are not empty."""

    first: Annotated[int, Meta(ge=0, lt=BUCKETS)] = 0
    """Index of the bucket that `counts` begins with."""
    counts: Annotated[tuple[_Count, ...], Meta(max_length=BUCKETS)] = ()
    sum_us: _Count = 0
    max_us: _Count = 0

    def __post_init__(self) -> None:
        if self.first + len(self.counts) > BUCKETS:
            raise ValueError(f"histogram: buckets {self.first} + {len(self.counts)} exceed {BUCKETS}")

    @property
    def count(self) -> int:
        """How many durations were recorded."""
        return sum(self.counts)


class Histogram:
    """Counts durations. One writer; `snapshot` may be taken between any two records."""

    __slots__ = ("_counts", "_max_us", "_sum_us")

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self._sum_us = 0
        self._max_us = 0

    def record(self, value_us: int) -> None:
        """Count one duration. Out of range is moved to the bound: a figure is never a reason to fail."""
        if value_us > self._max_us:
            value_us = min(value_us, LIMIT_US)
            self._max_us = value_us
        elif value_us < 0:
            value_us = 0
        # `bucket_of` written out: a call would double the cost of the hot path.
        shift = value_us.bit_length() - _EXACT_BITS
        if shift > 0:
            self._counts[(shift << _OCTAVE_BITS) + (value_us >> shift)] += 1
        else:
            self._counts[value_us] += 1
        self._sum_us += value_us

    def snapshot(self) -> HistogramSnapshot:
        """All that was recorded so far, as a value."""
        return _packed(self._counts, self._sum_us, self._max_us)


def bucket_of(value_us: int) -> int:
    """Index of the bucket that a duration between 0 and `LIMIT_US` falls into."""
    shift = max(value_us.bit_length() - _EXACT_BITS, 0)
    return (shift << _OCTAVE_BITS) + (value_us >> shift)


def bucket_bounds(bucket: int) -> tuple[int, int]:
    """Shortest and longest duration of a bucket, in microseconds, both included."""
    shift = max((bucket >> _OCTAVE_BITS) - 1, 0)
    lowest = (bucket - (shift << _OCTAVE_BITS)) << shift
    return lowest, lowest + (1 << shift) - 1


def merge(snapshots: Iterable[HistogramSnapshot]) -> HistogramSnapshot:
    """Add histograms up. Merging in any order and grouping gives the same."""
    told = [snapshot for snapshot in snapshots if snapshot.counts]
    if not told:
        return HistogramSnapshot()
    first = min(snapshot.first for snapshot in told)
    counts = [0] * (max(snapshot.first + len(snapshot.counts) for snapshot in told) - first)
    sum_us = 0
    max_us = 0
    for snapshot in told:
        for bucket, count in enumerate(snapshot.counts, snapshot.first - first):
            counts[bucket] += count
        sum_us += snapshot.sum_us
        max_us = max(max_us, snapshot.max_us)
    # Only who lies gets there: his sum must still be one that can be told.
    return _packed([min(count, COUNT_MAX) for count in counts], min(sum_us, COUNT_MAX), max_us, first)


def difference(newer: HistogramSnapshot, older: HistogramSnapshot) -> HistogramSnapshot:
    """What was recorded between two snapshots of one histogram.

    The longest of these durations is not known exactly: `max_us` is the upper end of its bucket.
    """
    if (newer.first, newer.counts) == (older.first, older.counts):
        return HistogramSnapshot()
    counts = [0] * BUCKETS
    counts[newer.first : newer.first + len(newer.counts)] = newer.counts
    for bucket, count in enumerate(older.counts, older.first):
        counts[bucket] = max(counts[bucket] - count, 0)
    longest = next((bucket for bucket in range(BUCKETS - 1, -1, -1) if counts[bucket]), 0)
    max_us = min(bucket_bounds(longest)[1], newer.max_us)
    return _packed(counts, max(newer.sum_us - older.sum_us, 0), max_us)


def quantile(snapshot: HistogramSnapshot, q: float) -> float:
    """Duration in microseconds that a share `q` (0 to 1) of the recorded ones does not exceed; 0 if there are none.

    The middle of the bucket that holds the value of rank ceil(q * count), and never more than the longest recorded.
    """
    if not 0 <= q <= 1:
        raise ValueError(f"q: {q} is not between 0 and 1")
    rank = max(ceil(q * snapshot.count), 1)
    seen = 0
    for bucket, count in enumerate(snapshot.counts, snapshot.first):
        seen += count
        if seen >= rank:
            lowest, longest = bucket_bounds(bucket)
            return min((lowest + longest) / 2, float(snapshot.max_us))
    return 0.0


def _packed(counts: list[int], sum_us: int, max_us: int, offset: int = 0) -> HistogramSnapshot:
    """`counts` are of the buckets from `offset` on."""
    first, end = 0, len(counts)
    while first < end and not counts[first]:
        first += 1
    if first == end:
        return HistogramSnapshot()
    while not counts[end - 1]:
        end -= 1
    return HistogramSnapshot(offset + first, tuple(counts[first:end]), sum_us, max_us)
