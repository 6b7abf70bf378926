"""Ground: all memory in which a worker's pixels and compressed bytes can lie: the arena, its scratch, what is lent."""

import mmap

from ipc.arena import Arena
from ipc.messages import Extent
from ipc.scratch import SCRATCH, SCRATCH_BYTES
from stages.borrowed import Borrowed
from stages.raster import bytes_at


class Ground:
    """Of one worker. To be made before its memory is limited: the scratch is address space at first."""

    def __init__(self, arena: Arena, borrowed: Borrowed | None = None) -> None:
        self._arena = arena.view
        self._shared = arena
        self.borrowed = borrowed
        """None where nothing can be lent."""
        self._pages = mmap.mmap(-1, SCRATCH_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        # Huge pages: fewer faults, and fewer misses of the address cache.
        self._pages.madvise(mmap.MADV_HUGEPAGE)
        self._scratch = memoryview(self._pages)

    def at(self, extent: Extent) -> memoryview:
        """View of an extent; drop it after use. ValueError where there is none, and what `Borrowed.view` raises."""
        if extent.segment == 0:
            return bytes_at(self._arena, extent)
        if extent.segment == SCRATCH:
            return bytes_at(self._scratch, Extent(extent.offset, extent.bytes))
        if self.borrowed is None:
            raise ValueError(f"{extent} is of a segment, and nothing is borrowed")
        return self.borrowed.view(extent)

    def forget_pages(self) -> None:
        """Give the scratch's pages back, and let those go that are shared: not their content."""
        self._pages.madvise(mmap.MADV_DONTNEED)
        self._shared.forget_pages()
        if self.borrowed is not None:
            self.borrowed.forget_pages()

    def close(self) -> None:
        """Let go of the scratch and of what is lent; the arena is its owner's."""
        self._scratch.release()
        self._pages.close()
        if self.borrowed is not None:
            self.borrowed.close()
