"""Sharing: how many frames may be in work at a time, alone or beside others. Pure.

What is in work cannot be overtaken, so a newcomer's frame waits for all of it. Alone, a producer gets all places: then
messages to workers carry several frames. Where several producers are at work there is half as much before the next one
whose turn it is; that costs 3 % of the throughput (measured at 400 px).
"""

from typing import Final

TOGETHER_US: Final = 1_000_000
"""Producers of whom one sends so soon after another are at work together, for so long again."""


class Sharing:
    """Sees who submits frames."""

    def __init__(self, jobs_max: int) -> None:
        self._jobs_max = jobs_max
        self._last_producer = b""
        self._last_us = -TOGETHER_US
        self._together_until_us = 0

    def submitted(self, producer: bytes, now_us: int) -> None:
        """Note that a producer's frame was admitted."""
        if producer != self._last_producer and now_us - self._last_us < TOGETHER_US:
            self._together_until_us = now_us + TOGETHER_US
        self._last_producer, self._last_us = producer, now_us

    def places(self, now_us: int) -> int:
        """Tell how many frames may be in work."""
        return self._jobs_max if now_us >= self._together_until_us else max(1, self._jobs_max // 2)
