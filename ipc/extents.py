"""Allocator of extents: who may use which bytes of the arena. Pure; nothing here touches memory.

One process calls it (the broker), so there are no locks, and no state of it lies in shared memory. The free extents
form one list sorted by offset, always coalesced. Of those that are large enough, the one freed last is taken, at the
very bytes that were freed last: they are still in the cache of the core that used them. What is large and stays long is
taken from the end, and given back as cold, so that the small ones keep to their place.

Invariants (held by `tests/ipc/test_extents.py` for any order of calls): extents in use never overlap; free and used
bytes add up to the total; two free extents never touch.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from ipc.messages import Extent

ALIGNMENT_BYTES: Final = 64
"""A cache line, so that two workers never write to the same one; also enough for every SIMD load."""


class ExtentError(Exception):
    """An extent was freed that is not in use. A fault of the caller, never of a frame."""


@dataclass(slots=True)
class _Free:
    start: int
    end: int
    hot: int
    """Offset of the bytes that were freed last within this extent."""
    freed_at: int
    """Number of the call of `free` that made this extent what it is; the greatest is the hottest, 0 is cold."""


@dataclass(frozen=True, slots=True)
class ExtentFigures:
    """What an operator wants to know of the arena, in bytes."""

    total_bytes: int
    used_bytes: int
    high_water_bytes: int
    largest_free_bytes: int
    extents: int
    """Number of extents in use."""


_start = attrgetter("start")


def aligned(size_bytes: int) -> int:
    """Return `size_bytes` as it is really taken from the arena."""
    return (size_bytes + ALIGNMENT_BYTES - 1) & -ALIGNMENT_BYTES


def divided(block: Extent, sizes_bytes: list[int]) -> list[Extent]:
    """Divide an extent into aligned ones of these sizes; it has room for them, see `aligned`."""
    parts: list[Extent] = []
    offset = block.offset
    for size_bytes in sizes_bytes:
        parts.append(Extent(offset, size_bytes))
        offset += aligned(size_bytes)
    return parts


class ExtentAllocator:
    """Hands out extents of `total_bytes` of memory."""

    def __init__(self, total_bytes: int) -> None:
        self._total = total_bytes & -ALIGNMENT_BYTES
        self._free = [_Free(0, self._total, 0, 0)] if self._total else []
        self._used: dict[int, int] = {}
        self._used_bytes = 0
        self._high_water = 0
        self._frees = 0

    def allocate(self, size_bytes: int) -> Extent | None:
        """Take `size_bytes` (> 0), or return None when no free extent is large enough."""
        return self._allocate(size_bytes, at_hot=True)

    def _allocate(self, size_bytes: int, *, at_hot: bool) -> Extent | None:
        if size_bytes <= 0:
            raise ExtentError(f"an extent of {size_bytes} bytes makes no sense")
        need = aligned(size_bytes)
        best = -1
        freed_at = -1
        for index, free in enumerate(self._free):
            # >=: of two parts of one freed extent, the later one holds what is left of its hot bytes.
            if free.end - free.start >= need and free.freed_at >= freed_at:
                best, freed_at = index, free.freed_at
        if best < 0:
            return None
        free = self._free[best]
        start = free.hot if at_hot and free.hot + need <= free.end else free.start
        return self._take(best, start, size_bytes, need)

    def allocate_all(self, sizes_bytes: list[int]) -> list[Extent] | None:
        """Take one extent of each size, or nothing at all: a frame never waits for memory while it holds some."""
        # From an empty arena whatever `fits_ever` must fit: hot bytes in its middle may cut it into parts that are
        # each too small, the second try does not.
        return self._allocate_all(sizes_bytes, at_hot=True) or self._allocate_all(sizes_bytes, at_hot=False)

    def _allocate_all(self, sizes_bytes: list[int], *, at_hot: bool) -> list[Extent] | None:
        extents: list[Extent] = []
        high_water = self._high_water
        for size_bytes in sizes_bytes:
            extent = self._allocate(size_bytes, at_hot=at_hot)
            if extent is None:
                # Backwards: what was hottest stays hottest. And what nobody got to use is no high water.
                for taken in reversed(extents):
                    self.free(taken)
                self._high_water = high_water
                return None
            extents.append(extent)
        return extents

    def allocate_high(self, sizes_bytes: list[int]) -> list[Extent] | None:
        """Take one extent of each size, as near to the end as they go, or nothing at all."""
        return self._allocate_by(sizes_bytes, self._highest)

    def allocate_low(self, sizes_bytes: list[int], end_max: int) -> list[Extent] | None:
        """Take one extent of each size, as near to the start as they go, none of it behind `end_max`; or nothing."""
        return self._allocate_by(sizes_bytes, lambda need: self._lowest(need, end_max))

    def _allocate_by(
        self, sizes_bytes: list[int], find: Callable[[int], tuple[int, int] | None]
    ) -> list[Extent] | None:
        """`find` tells, for so many bytes, the index of a free extent and the offset in it."""
        # Who waits for room asks again and again.
        if sum(map(aligned, sizes_bytes)) > self._total - self._used_bytes:
            return None
        free_before, high_water = self._free.copy(), self._high_water
        extents: list[Extent] = []
        for size_bytes in sizes_bytes:
            need = aligned(size_bytes)
            found = find(need)
            if found is None:
                for taken in extents:
                    self._used_bytes -= self._used.pop(taken.offset)
                # As if nothing had been tried: what was hot is hot.
                self._free, self._high_water = free_before, high_water
                return None
            extents.append(self._take(*found, size_bytes, need))
        return extents

    def _highest(self, need: int) -> tuple[int, int] | None:
        for index in range(len(self._free) - 1, -1, -1):
            free = self._free[index]
            if free.end - free.start >= need:
                return index, free.end - need
        return None

    def _lowest(self, need: int, end_max: int) -> tuple[int, int] | None:
        for index, free in enumerate(self._free):
            if min(free.end, end_max) - free.start >= need:
                return index, free.start
        return None

    def free(self, extent: Extent, *, is_cold: bool = False) -> None:
        """Give back an extent. Only when its holder has answered or is proved dead: the bytes are reused at once.

        A cold one is not taken before others because it was freed last.
        """
        need = aligned(extent.bytes)
        if self._used.get(extent.offset) != need:
            raise ExtentError(f"extent {extent.offset}+{extent.bytes} is not in use")
        del self._used[extent.offset]
        self._used_bytes -= need
        self._frees += 1
        freed_at = 0 if is_cold else self._frees
        self._insert(_Free(extent.offset, extent.offset + need, extent.offset, freed_at))

    def figures(self) -> ExtentFigures:
        """Return the state of the arena now."""
        return ExtentFigures(
            total_bytes=self._total,
            used_bytes=self._used_bytes,
            high_water_bytes=self._high_water,
            largest_free_bytes=max((free.end - free.start for free in self._free), default=0),
            extents=len(self._used),
        )

    def fits_ever(self, sizes_bytes: list[int]) -> bool:
        """Tell whether extents of these sizes could be had from an empty arena."""
        return sum(aligned(size_bytes) for size_bytes in sizes_bytes) <= self._total

    @property
    def total_bytes(self) -> int:
        """Bytes of the arena that can be taken."""
        return self._total

    def _take(self, index: int, start: int, size_bytes: int, need: int) -> Extent:
        """Take `need` bytes from `start` on out of one free extent."""
        free = self._free[index]
        left = _Free(free.start, start, free.start, free.freed_at)
        right = _Free(start + need, free.end, start + need, free.freed_at)
        if left.start <= free.hot < left.end:
            left.hot = free.hot
        elif right.start <= free.hot < right.end:
            right.hot = free.hot
        self._free[index : index + 1] = [part for part in (left, right) if part.start < part.end]
        self._used[start] = need
        self._used_bytes += need
        self._high_water = max(self._high_water, self._used_bytes)
        return Extent(start, size_bytes)

    def _insert(self, new: _Free) -> None:
        """Put a free extent into its place and join it with the free neighbours it touches."""
        index = bisect_left(self._free, new.start, key=_start)
        if index < len(self._free) and self._free[index].start == new.end:
            after = self._free.pop(index)
            new.end = after.end
            _heat(new, after)
        if index > 0 and self._free[index - 1].end == new.start:
            before = self._free.pop(index - 1)
            new.start = before.start
            _heat(new, before)
            index -= 1
        self._free.insert(index, new)


def _heat(new: _Free, neighbour: _Free) -> None:
    """Take over what is hot in a neighbour, if it is hotter."""
    if neighbour.freed_at > new.freed_at:
        new.hot, new.freed_at = neighbour.hot, neighbour.freed_at
