"""Wear: when a worker has done enough, or holds too much, and is to be replaced. Pure."""

from typing import Final

from ipc.settings import MemorySettings

_GOLDEN_RATIO: Final = 0.6180339887498949
_SPREAD: Final = 0.2


class Wear:
    """Of one worker. What `memory` leaves at 0 is not judged."""

    def __init__(self, memory: MemorySettings, incarnation: int) -> None:
        self._frames_max = spread(memory.recycle_after_frames, incarnation)
        self._bytes_max = memory.recycle_above_mb << 20

    def reason(self, frames: int, at_rest_bytes: int) -> str:
        """Why it is worn; empty if it is not. `frames`: it has worked on so many."""
        if self._frames_max and frames >= self._frames_max:
            return f"worked on {frames} frames (memory.recycle_after_frames)"
        if self._bytes_max and at_rest_bytes > self._bytes_max:
            return (
                f"holds {at_rest_bytes >> 20} MiB at rest, more than {self._bytes_max >> 20} MiB "
                "(memory.recycle_above_mb)"
            )
        return ""


def spread(frames: int, incarnation: int) -> int:
    """A tenth more or less, so that workers that began together are not replaced together.

    Neighbouring incarnations lie far apart: multiples of the golden ratio fill an interval evenly.
    """
    return round(frames * (1 - _SPREAD / 2 + _SPREAD * (incarnation * _GOLDEN_RATIO % 1)))
