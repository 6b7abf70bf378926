"""Segment: shared memory in which a producer lends what comes in."""

import contextlib
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SLOTS: Final = 8
"""Frames lie in so many places by turns, as those of a camera do: what it writes next is not what was just read."""
FOLDER: Final = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory lies, not a temporary file
_ALIGNMENT: Final = 4096


@dataclass(frozen=True, slots=True)
class Piece:
    """Where one frame lies."""

    segment: str
    offset: int
    bytes: int

    def to_map(self) -> dict[str, Any]:
        """What a request's `lent` says."""
        return {"segment": self.segment, "offset": self.offset, "bytes": self.bytes}


@contextlib.contextmanager
def lend(source: bytes, *, is_lent: bool) -> Iterator[list[Piece]]:
    """Write the same frame to every place of a new segment, and take the segment away at the end. Not lent: none."""
    if not is_lent:
        yield []
        return
    # By hand: multiprocessing's SharedMemory starts a process that watches over it, which would be measured too.
    path = FOLDER / f"oms-perf-{os.getpid()}"
    step = -(-len(source) // _ALIGNMENT) * _ALIGNMENT
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.truncate(fd, SLOTS * step)
        with mmap.mmap(fd, SLOTS * step) as room:
            for slot in range(SLOTS):
                room[slot * step : slot * step + len(source)] = source
            yield [Piece(path.name, slot * step, len(source)) for slot in range(SLOTS)]
    finally:
        path.unlink()
        os.close(fd)
