"""PNG files of every colour type, written chunk by chunk. Layout: ISO/IEC 15948 (PNG, third edition)."""

import struct
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAGIC: Final = b"\x89PNG\r\n\x1a\n"
CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type."""
KINDS: Final = (
    *((0, depth) for depth in (1, 2, 4, 8, 16)),
    *((3, depth) for depth in (1, 2, 4, 8)),
    *((color, depth) for color in (2, 4, 6) for depth in (8, 16)),
)
"""Colour type and bits a channel: all that there are."""

_PASSES: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7: first column and row, steps across and down."""

Samples = NDArray[np.uint16]


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">L4s", len(body), kind) + body + struct.pack(">L", zlib.crc32(kind + body))


def png(
    samples: Samples, color: int, depth: int, *chunks: bytes, interlaced: bool = False, idat_bytes: int = 1 << 30
) -> bytes:
    """Height x width x channels, as they are to stand in the file. `chunks` come before the pixels."""
    height, width, _ = samples.shape
    header = struct.pack(">LLBBBBB", width, height, depth, color, 0, 0, interlaced)
    passes = [samples[y::down, x::across] for x, y, across, down in _PASSES] if interlaced else [samples]
    pixels = zlib.compress(b"".join(_rows(part, depth) for part in passes if part.size))
    data = [chunk(b"IDAT", pixels[at : at + idat_bytes]) for at in range(0, len(pixels), idat_bytes)]
    return b"".join((MAGIC, chunk(b"IHDR", header), *chunks, *data, chunk(b"IEND")))


def palette(colors: Sequence[Sequence[int]]) -> bytes:
    return chunk(b"PLTE", bytes(value for color in colors for value in color))


def profile_chunk(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"a name\0\0" + zlib.compress(profile))


def _rows(samples: Samples, depth: int) -> bytes:
    """Unfiltered, each behind its filter's number."""
    height, width, channels = samples.shape
    flat = samples.reshape(height, width * channels)
    if depth == 16:
        packed = flat.astype(">u2").view(np.uint8)
    else:
        bits = (flat[..., np.newaxis] >> np.arange(depth - 1, -1, -1)) & 1
        packed = np.packbits(bits.reshape(height, -1).astype(np.uint8), axis=1)
    return np.concatenate([np.zeros((height, 1), np.uint8), packed.reshape(height, -1)], axis=1).tobytes()
