"""Rhythm: when state subscriptions fall due. Pure: the caller says what time it is.

All of one interval fall due at the same moments, the multiples of the interval on the clock: what they are sent is made
once for all of them, and one timer serves them all.
"""

from heapq import heappop, heappush
from typing import Generic, TypeVar

Member = TypeVar("Member")


class Rhythm(Generic[Member]):
    """Members, by their intervals."""

    def __init__(self) -> None:
        # Dictionaries for their order: whoever came first is first.
        self._members: dict[int, dict[Member, None]] = {}
        self._moments: list[tuple[int, int]] = []

    def add(self, member: Member, interval_ms: int, now_ms: int) -> None:
        """Have a member fall due at an interval."""
        if interval_ms not in self._members:
            self._members[interval_ms] = {}
            heappush(self._moments, (_next(interval_ms, now_ms), interval_ms))
        self._members[interval_ms][member] = None

    def remove(self, member: Member, interval_ms: int) -> None:
        """Forget a member, and with the last of an interval its moment, so that no one waits for it."""
        members = self._members[interval_ms]
        del members[member]
        if not members:
            del self._members[interval_ms]
            self._moments = sorted(moment for moment in self._moments if moment[1] != interval_ms)

    @property
    def next_ms(self) -> int | None:
        """When somebody falls due next; None without members."""
        return self._moments[0][0] if self._moments else None

    def due(self, now_ms: int) -> list[Member]:
        """Take all that have fallen due. Moments that were missed are not made up for."""
        due: list[Member] = []
        while self._moments and self._moments[0][0] <= now_ms:
            _, interval_ms = heappop(self._moments)
            heappush(self._moments, (_next(interval_ms, now_ms), interval_ms))
            due += self._members[interval_ms]
        return due


def _next(interval_ms: int, now_ms: int) -> int:
    return (now_ms // interval_ms + 1) * interval_ms
