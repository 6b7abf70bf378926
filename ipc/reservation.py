"""Reservation of the arena: shared memory, in full and unlinked at once, before anybody is started who needs it.

So a full /dev/shm is an error at start and never a SIGBUS under load, and nothing is left behind whoever is killed.
Apart from `ipc.arena`: who only maps it need not load what makes it, some 2.5 MiB.
"""

import os
from multiprocessing import resource_tracker, shared_memory
from typing import Final

from ipc.control_group import memory_limit

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
