"""Borrowed: the segments that producers lend, mapped for reading as frames need them.

A mapping is kept, because faulting in its pages again costs as much as a tenth of an encoder's time. All of a segment
is mapped where it fits into the bound, and otherwise no more than one frame's pixels.

Its producer may write to it, or cut it, at any moment. What is read twice may differ, and only ever spoils that
producer's own picture; a page that is not there any more is a SIGBUS, see `omnishotd.broker.cuts`.
"""

import mmap
import os
import resource
from dataclasses import dataclass

from ipc.errors import ErrorCode, FrameError
from ipc.lending import SEGMENTS_HELD_MAX, LendingEnd
from ipc.messages import Extent, SegmentGone


@dataclass(frozen=True, slots=True)
class _Mapping:
    """Some of a segment, from `offset` on. Unmapped when nothing refers to it any more, its views included."""

    segment: int
    offset: int
    pages: mmap.mmap

    def has(self, extent: Extent) -> bool:
        """Tell whether an extent lies in it."""
        start = extent.offset - self.offset
        return extent.segment == self.segment and 0 <= start <= len(self.pages) - extent.bytes


class Borrowed:
    """What one worker has of them. `bytes_max`: what may be mapped at a time."""

    def __init__(self, end: LendingEnd, bytes_max: int) -> None:
        self._end = end
        self._bytes_max = bytes_max
        self._descriptors: dict[int, int] = {}
        """By number of the segment."""
        self._mappings: list[_Mapping] = []
        """The least recently used first."""
        self._limits: tuple[int, int] | None = None
        """Of this process's memory, without any mapping, and the one that cannot be moved; None before the first."""

    def fileno(self) -> int:
        """Descriptor to poll for reading once something `is_held`."""
        return self._end.fileno()

    @property
    def is_held(self) -> bool:
        """Whether the broker may have something to say about what is held."""
        return bool(self._descriptors)

    def listen(self) -> None:
        """Take one thing that the broker says. Raises `NothingArrived`."""
        message = self._end.receive()
        if isinstance(message, SegmentGone):
            self._let_go(message.number)
        else:
            announced, descriptor = message
            self._descriptors[announced.number] = descriptor

    def view(self, extent: Extent) -> memoryview:
        """View of lent pixels, to read; drop it after use.

        FrameError BAD_REQUEST where the segment is too short by now, `NothingArrived` where there is no such segment,
        OSError ENOMEM where it cannot be mapped.
        """
        while extent.segment not in self._descriptors:
            # Sent before the batch that names it.
            self.listen()
        if extent.is_copied:
            return memoryview(self._read(extent))
        for mapping in reversed(self._mappings):
            if mapping.has(extent):
                break
        else:
            mapping = self._mapped(extent)
            self._mappings.append(mapping)
        if mapping is not self._mappings[-1]:
            self._mappings.remove(mapping)
            self._mappings.append(mapping)
        start = extent.offset - mapping.offset
        return memoryview(mapping.pages)[start : start + extent.bytes]

    def forget_pages(self) -> None:
        """Let this process's view of the pages go: they count as its own until then."""
        for mapping in self._mappings:
            mapping.pages.madvise(mmap.MADV_DONTNEED)

    def close(self) -> None:
        """Unmap all, and hear no more."""
        for number in list(self._descriptors):
            self._let_go(number)
        self._end.close()

    def _mapped(self, extent: Extent) -> _Mapping:
        descriptor = self._descriptors[extent.segment]
        # Not fstat(2): the C library may ask by a call that names files, which is shut.
        size_bytes = os.lseek(descriptor, 0, os.SEEK_END)
        end = extent.offset + extent.bytes
        if end > size_bytes:
            raise _cut(size_bytes)
        offset = 0
        if size_bytes > self._bytes_max:
            offset = extent.offset // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
            size_bytes = end - offset
        self._make_room(size_bytes)
        pages = mmap.mmap(descriptor, size_bytes, prot=mmap.PROT_READ, offset=offset)
        return _Mapping(extent.segment, offset, pages)

    def _read(self, extent: Extent) -> bytes:
        """Copy pixels: of a segment that is cut there are fewer."""
        descriptor = self._descriptors[extent.segment]
        parts: list[bytes] = []
        offset, end = extent.offset, extent.offset + extent.bytes
        while offset < end:
            part = os.pread(descriptor, end - offset, offset)
            if not part:
                raise _cut(offset)
            parts.append(part)
            offset += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _make_room(self, size_bytes: int) -> None:
        """Unmap what must go, and allow this process what will be mapped: it is no memory of its own."""
        used_bytes = sum(len(mapping.pages) for mapping in self._mappings)
        while self._mappings and (
            used_bytes + size_bytes > self._bytes_max or len(self._mappings) >= SEGMENTS_HELD_MAX
        ):
            used_bytes -= len(self._mappings.pop(0).pages)
        self._allow(used_bytes + size_bytes)

    def _allow(self, mapped_bytes: int) -> None:
        if self._limits is None:
            self._limits = resource.getrlimit(resource.RLIMIT_AS)
        own, most = self._limits
        if own != resource.RLIM_INFINITY:
            # Whole pages are mapped.
            wanted = own + mapped_bytes + len(self._mappings) * mmap.PAGESIZE + mmap.PAGESIZE
            resource.setrlimit(resource.RLIMIT_AS, (min(wanted, most), most))

    def _let_go(self, number: int) -> None:
        descriptor = self._descriptors.pop(number, None)
        if descriptor is None:
            return
        os.close(descriptor)
        self._mappings = [mapping for mapping in self._mappings if mapping.segment != number]
        if self._limits is not None:
            self._allow(sum(len(mapping.pages) for mapping in self._mappings))


def _cut(size_bytes: int) -> FrameError:
    message = f"lent.bytes: the segment was cut to {size_bytes} bytes while it was lent"
    return FrameError(ErrorCode.BAD_REQUEST, message)
