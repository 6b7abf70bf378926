"""The arena: one segment of shared memory for all frames in work, as the processes see it that have it mapped.

`ipc.reservation` makes it: its descriptor is inherited.
"""

import contextlib
import mmap
import os
from typing import Self

from ipc.messages import Extent


class Arena:
    """A process's view of the arena, mapped once for its life."""

    def __init__(self, descriptor: int, size_bytes: int) -> None:
        self._map = mmap.mmap(descriptor, size_bytes)
        self.view = memoryview(self._map)
        """All bytes of the arena."""

    def write(self, extent: Extent, data: bytes | memoryview) -> None:
        """Copy `data` to the start of `extent`."""
        if len(data) > extent.bytes or extent.offset < 0 or extent.offset + extent.bytes > len(self.view):
            raise ValueError(f"{len(data)} bytes do not fit extent {extent.offset}+{extent.bytes}")
        self.view[extent.offset : extent.offset + len(data)] = data

    def let_go_of_descriptor(self, descriptor: int) -> None:
        """Close it, and the copy that the mapping keeps: whoever has one could cut the arena short under all others."""
        kept = os.fstat(descriptor)
        os.close(descriptor)
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are enough
            # That of the listing itself is closed by now.
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(int(name)), kept):
                    # Not closed: the mapping closes it when it ends, and the number could be another's by then.
                    os.dup2(nothing, int(name), inheritable=False)
        os.close(nothing)

    def forget_pages(self) -> None:
        """Let this process's view of the pages go, not their content: they count as present until touched again."""
        self._map.madvise(mmap.MADV_DONTNEED)

    def close(self) -> None:
        """Unmap. Every view of the arena must be gone: a view that outlives the mapping would be a crash."""
        self.view.release()
        self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
