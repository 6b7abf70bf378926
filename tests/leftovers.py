"""Leftovers: what a test, or a daemon that has ended, may not leave behind. Others may be at work beside it."""

import contextlib
import os
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Final

SHM: Final = Path("/dev/shm")  # noqa: S108 - the kernel's fixed place of POSIX shared memory
_ORPHANS_PARENT: Final = 1


def descendants(pid: int) -> set[int]:
    """All processes below one, the dead that nobody has waited for among them.

    From the kernel's own lists (proc(5)): psutil looks at every process of the machine, which took most of the time of
    thousands of small tests.
    """
    found: set[int] = set()
    unseen = [pid]
    while unseen:
        # One that ends meanwhile has no more children.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for children in Path(f"/proc/{unseen.pop()}/task").glob("*/children"):
                below = [int(child) for child in children.read_text(encoding="ascii").split()]
                found.update(below)
                unseen += below
    return found


def segments() -> set[Path]:
    """All shared memory that has a name."""
    return set(SHM.iterdir())


def segments_left(before: Set[Path], own_pid: int | None = None) -> set[Path]:
    """Shared memory that is new, and that no living process of others holds: tests run side by side.

    An orphan is nobody else's: it may have been ours. `own_pid`: who asks, for itself and all below it.
    """
    new = segments() - before
    if new:
        own_pid = own_pid or os.getpid()
        own = {own_pid, *descendants(own_pid)}
        for pid in _pids():
            if pid not in own and _parent(pid) != _ORPHANS_PARENT:
                new -= _held(pid)
    return new


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _parent(pid: int) -> int:
    """Of a process; that of an orphan if it is gone."""
    try:
        about = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _ORPHANS_PARENT
    return int(about.rpartition(")")[2].split()[1])


def _held(pid: int) -> set[Path]:
    """Shared memory that a process has mapped."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    return {Path(line[line.index("/") :]) for line in maps.splitlines() if f" {SHM}/" in line}
