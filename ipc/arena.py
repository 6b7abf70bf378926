"""The arena: one segment of shared memory for all frames in work.

Made by the supervisor, reserved in full and unlinked at once; children inherit its descriptor and map it. So a full
/dev/shm is an error at start and never a SIGBUS under load, and nothing is left behind whoever is killed.
"""

import contextlib
import mmap
import os
from multiprocessing import resource_tracker, shared_memory
from typing import Final, Self

from ipc.control_group import memory_limit
from ipc.messages import Extent

SHM_PATH: Final = "/dev/shm"  # noqa: S108 - the kernel's fixed place of POSIX shared memory


class ArenaUnavailable(Exception):
    """The arena cannot be had: says what is needed, what there is, and what to change."""


def reserve_arena(size_bytes: int) -> int:
    """Reserve `size_bytes` of shared memory and return its descriptor, inheritable by no one until passed on.

    The segment has no name any more when this returns. Raises `ArenaUnavailable` where the memory is not there.
    """
    limit = memory_limit()
    if limit is not None and size_bytes >= limit.bytes:
        # The kernel would not refuse: it would end us.
        raise ArenaUnavailable(
            f"the arena needs {size_bytes >> 20} MiB, and the daemon may have {limit.bytes >> 20} MiB of memory in all "
            f"({limit.file}); let it have more (systemd: MemoryMax=, docker: --memory=) or set memory.arena_mb lower"
        )
    try:
        segment = shared_memory.SharedMemory(create=True, size=size_bytes)
    except OSError as error:
        _stop_resource_tracker()
        raise ArenaUnavailable(_what_to_do(size_bytes, error)) from error
    # ORDER: the name goes first. Reserving takes a tenth of a second, and whoever is killed meanwhile leaves nothing.
    try:
        segment.unlink()
        # SharedMemory keeps its descriptor private and offers no other way to hand it on.
        descriptor = os.dup(segment._fd)  # type: ignore[attr-defined]
    finally:
        segment.close()
        _stop_resource_tracker()
    try:
        # Without it the pages are only promised, and a full /dev/shm would be a SIGBUS under load.
        os.posix_fallocate(descriptor, 0, size_bytes)
    except OSError as error:
        os.close(descriptor)
        raise ArenaUnavailable(_what_to_do(size_bytes, error)) from error
    return descriptor


def _stop_resource_tracker() -> None:
    """End the helper process that SharedMemory started: the segment is unlinked, and it has nothing left to track."""
    stop = getattr(resource_tracker._resource_tracker, "_stop", None)
    if stop is not None:
        stop()


def _what_to_do(size_bytes: int, error: OSError) -> str:
    need_mib = size_bytes >> 20
    try:
        room = os.statvfs(SHM_PATH)
        there = f"{(room.f_bavail * room.f_frsize) >> 20} MiB of {(room.f_blocks * room.f_frsize) >> 20} MiB are free"
    except OSError:
        there = "it cannot be looked at"
    return (
        f"the arena needs {need_mib} MiB in {SHM_PATH}, where {there} ({error.strerror}); make it larger (systemd: "
        f"TemporaryFileSystem={SHM_PATH}:size={need_mib + 16}M, docker: --shm-size={need_mib + 16}m) "
        "or set memory.arena_mb lower"
    )


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
