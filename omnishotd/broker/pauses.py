"""Pauses: times in which the loop stood still. Pure.

The process, or the whole machine, was stopped, or a turn took long: from within they cannot be told apart.
Nobody may be blamed for silence in such a time: there was no one to hear.
"""

from typing import Final

PAUSE_US_MIN: Final = 200_000
"""A turn that comes later than that was not only waiting for the processor."""


class Pauses:
    """Compares when the loop's next turn should have begun with when it did."""

    def __init__(self) -> None:
        self._due_us: int | None = None

    def expect(self, turn_us: int, wait_ms: int) -> None:
        """Note, at the end of the turn that began at `turn_us`, how long the loop will sleep at most."""
        self._due_us = turn_us + wait_ms * 1000

    def gap_us(self, turn_us: int) -> int:
        """Tell, at the beginning of a turn, how much too late it is; 0 for a delay as they happen."""
        late_us = 0 if self._due_us is None else turn_us - self._due_us
        return late_us if late_us >= PAUSE_US_MIN else 0
