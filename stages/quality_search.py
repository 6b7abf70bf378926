"""Search for the highest quality at which a picture fits into so many bytes, in few trials.

Each quality is taken to need at least as many bytes as the one below it.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

QUALITY_MIN: Final = 1
TRIALS_MAX: Final = 8
"""Enough for any quality from 1 to 100: the first trial leaves 100 answers, and seven tell 128 apart."""

_QUALITIES: Final = (0, 1, 10, 20, 50, 80, 90, 95, 100)
_SHARES: Final = (0.027, 0.031, 0.051, 0.073, 0.146, 0.27, 0.395, 0.535, 1.0)
"""Bytes at these qualities against those at 100: about what JPEG, WebP and AVIF need for photographs."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of encoding at a quality."""

    quality: int
    size_bytes: int


def next_quality(trials: Sequence[Trial], quality: int, bytes_max: int) -> int | None:
    """The quality to try after `trials`, not above `quality`; None when the highest that fits is known, or none does.

    As sizes grow about alike in all pictures, a guess between the two nearest trials is better than their middle. It
    never strays so far from it that the trials left could not tell apart what remains.
    """
    if not trials:
        return quality
    above = min((trial for trial in trials if trial.size_bytes > bytes_max), key=_quality, default=None)
    below = max((trial for trial in trials if trial.size_bytes <= bytes_max), key=_quality, default=None)
    lowest = below.quality if below else QUALITY_MIN - 1
    if above is None or above.quality - lowest <= 1:
        return None
    reach = 1 << (TRIALS_MAX - len(trials) - 1)
    first = max(lowest + 1, above.quality - reach)
    last = min(above.quality - 1, lowest + reach)
    return min(max(_guess(below, above, bytes_max), first), last)


def _guess(below: Trial | None, above: Trial, bytes_max: int) -> int:
    """Where a picture has `bytes_max` that grows as pictures usually do, but through these two trials."""
    steepness = 1.0
    if below:
        steepness = math.log(above.size_bytes / below.size_bytes) / (_growth(above.quality) - _growth(below.quality))
    growth = _growth(above.quality) - math.log(above.size_bytes / bytes_max) / steepness
    return bisect.bisect_right(range(above.quality), growth, key=_growth) - 1


def _growth(quality: int) -> float:
    """Logarithm of the share of bytes that pictures usually need at a quality, straight between those known."""
    index = min(max(bisect.bisect_right(_QUALITIES, quality), 1), len(_QUALITIES) - 1)
    low, high = _QUALITIES[index - 1], _QUALITIES[index]
    from_log, to_log = math.log(_SHARES[index - 1]), math.log(_SHARES[index])
    return from_log + (to_log - from_log) * (quality - low) / (high - low)


def _quality(trial: Trial) -> int:
    return trial.quality
