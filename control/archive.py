"""Archive: what the control plane knows, in memory that outlives its process, so that counters go on where they were.

The supervisor made the file and hands it to each process of the control plane; it goes with the daemon. There are two
places to write to, by turns, each with a checksum: a process killed in the middle of writing leaves the other intact.
"""

import os
import struct
import zlib
from typing import Final

PLACE_BYTES_MAX: Final = 4 << 20

_HEAD: Final = struct.Struct("<QII")
"""Number of the writing, length of what follows, and its CRC-32."""


class Archive:
    """A file descriptor with two places. Not for two writers."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._number = 0

    def read(self) -> bytes | None:
        """Return what was written last, or None if there is nothing whole."""
        found: dict[int, bytes] = {}
        for place in (0, 1):
            head = os.pread(self._descriptor, _HEAD.size, place * PLACE_BYTES_MAX)
            if len(head) < _HEAD.size:
                continue
            number, length, checksum = _HEAD.unpack(head)
            data = os.pread(self._descriptor, min(length, PLACE_BYTES_MAX), place * PLACE_BYTES_MAX + _HEAD.size)
            if number and len(data) == length and zlib.crc32(data) == checksum:
                found[number] = data
        self._number = max(found, default=0)
        return found.get(self._number)

    def write(self, data: bytes) -> None:
        """Keep this from now on. Raises ValueError if it is too long, OSError if there is no memory for it."""
        if len(data) > PLACE_BYTES_MAX - _HEAD.size:
            raise ValueError(f"{len(data)} bytes, at most {PLACE_BYTES_MAX - _HEAD.size} can be kept")
        self._number += 1
        head = _HEAD.pack(self._number, len(data), zlib.crc32(data))
        os.pwrite(self._descriptor, head + data, self._number % 2 * PLACE_BYTES_MAX)
