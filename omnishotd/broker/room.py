"""Room: where in the arena a frame's extents are taken, and what heavy frames have of it. Pure.

Light frames take what was freed last, and is still in a cache. Heavy ones lie at the arena's end, out of their way: a
light frame in the middle of it would keep a heavy one, which needs most of it in one piece, from ever finding room.
"""

from ipc.extents import ExtentAllocator, aligned, divided
from ipc.messages import Extent
from omnishotd.broker.frame import Frame


class Room:
    """Takes extents for frames."""

    def __init__(self, allocator: ExtentAllocator) -> None:
        self._allocator = allocator
        self.heavy_bytes = 0
        """What heavy frames took when they were started, and have not given back in full."""

    @property
    def total_bytes(self) -> int:
        """All of the arena."""
        return self._allocator.total_bytes

    def take(self, frame: Frame, sizes_bytes: list[int], kept_bytes: int, *, is_block: bool) -> list[Extent] | None:
        """Take an extent of each size, or nothing. `kept_bytes` at the arena's end are kept free of light frames.

        `is_block`: all is freed at the same moment, so that one extent, divided, is less work than several.
        """
        wanted_bytes = [sum(map(aligned, sizes_bytes))] if is_block else sizes_bytes
        if frame.is_heavy:
            extents = self._allocator.allocate_high(wanted_bytes)
        elif kept_bytes:
            extents = self._allocator.allocate_low(wanted_bytes, self._allocator.total_bytes - kept_bytes)
        elif is_block:
            block = self._allocator.allocate(wanted_bytes[0])
            extents = None if block is None else [block]
        else:
            extents = self._allocator.allocate_all(wanted_bytes)
        if extents is None:
            return None
        if frame.is_heavy:
            frame.room_bytes = sum(aligned(extent.bytes) for extent in extents)
            self.heavy_bytes += frame.room_bytes
        if is_block:
            frame.block = extents[0]
            return divided(extents[0], sizes_bytes)
        return extents

    def free(self, frame: Frame, extent: Extent) -> None:
        """Give back one of a frame's extents. Those of heavy frames are not the place for the next light one."""
        self._allocator.free(extent, is_cold=frame.is_heavy)

    def left(self, frame: Frame) -> None:
        """Note that a frame holds nothing any more."""
        self.heavy_bytes -= frame.room_bytes
        frame.room_bytes = 0
