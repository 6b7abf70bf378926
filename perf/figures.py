"""Figures: percentiles, and medians with their spread. Pure."""

import math
import statistics
from collections.abc import Sequence

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """A figure that was taken once a round."""

    median: float
    lowest: float
    highest: float


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of all do not exceed (nearest rank). ValueError without any."""
    if not values:
        raise ValueError("no values, no percentile")
    if not 0 <= percent <= 100:
        raise ValueError(f"percent: {percent}, not within 0..100")
    rank = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]


def spread(values: Sequence[float]) -> Spread:
    """Return the median of the rounds, the lowest and the highest. ValueError without any."""
    if not values:
        raise ValueError("no rounds, no figure")
    return Spread(statistics.median(values), min(values), max(values))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Compare round with round: what slowed the machine for a while slowed both. ValueError where rounds are missing.

    The ratio of the medians would be another figure, with the machine's ups and downs in it.
    """
    return spread([our / their for our, their in zip(ours, theirs, strict=True)])
