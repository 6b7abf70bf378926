"""Lossy encoders, and what they make at the best quality that is allowed."""

from collections.abc import Callable

import msgspec

from ipc.errors import ErrorCode, FrameError
from stages.quality_search import Trial, next_quality

Encoder = Callable[[int], bytes]
"""From a quality of 1 to 100 to the bytes of a whole file, always of the same pixels."""


class Made(msgspec.Struct, frozen=True):
    """A finished file."""

    data: bytes
    quality: int | None = None
    """At which it was encoded; None where that means nothing."""


def made(encoder: Encoder, quality: int, max_bytes: int | None) -> Made:
    """Encode at `quality`, or at the highest below it that keeps `max_bytes`. FrameError TOO_LARGE where none does."""
    if max_bytes is None:
        return Made(encoder(quality), quality)
    trials: list[Trial] = []
    best = None
    while (at := next_quality(trials, quality, max_bytes)) is not None:
        data = encoder(at)
        trials.append(Trial(at, len(data)))
        if len(data) <= max_bytes and (best is None or best.quality is None or at > best.quality):
            best = Made(data, at)
    if best is None:
        least = min(trial.size_bytes for trial in trials)
        raise FrameError(ErrorCode.TOO_LARGE, f"max_bytes: {max_bytes} are too few, it takes {least} even at quality 1")
    return best
