"""PNGs of every kind, written chunk by chunk: Pillow writes no 16-bit colours, and nothing interlaced."""

import struct
import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
"""Colour types of IHDR."""
CHANNELS: Final = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}

_PASSES: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of an interlaced picture: first column and row, and steps to the next (PNG specification, 8.2)."""


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def ihdr(width: int, height: int, color: int = RGB, depth: int = 8, *, interlaced: bool = False) -> bytes:
    return chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, depth, color, 0, 0, interlaced))


def png(
    pixels: NDArray[Any], color: int = RGB, depth: int = 8, *, interlaced: bool = False, before: bytes = b""
) -> bytes:
    """Write `pixels`, height x width x channels, each of `depth` bits, with the chunks of `before` ahead of them."""
    height, width, channels = pixels.shape
    if channels != CHANNELS[color]:
        raise ValueError(f"{channels} channels, colour type {color} has {CHANNELS[color]}")
    parts = [pixels]
    if interlaced:
        parts = [pixels[top::down, left::across] for left, top, across, down in _PASSES]
    rows = b"".join(b"\0" + _packed(row, depth) for part in parts if part.size for row in part)
    head = SIGNATURE + ihdr(width, height, color, depth, interlaced=interlaced)
    return head + before + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")


def _packed(row: NDArray[Any], depth: int) -> bytes:
    if depth >= 8:
        return row.astype(">u2" if depth == 16 else np.uint8).tobytes()
    bits = row.reshape(-1, 1) >> np.arange(depth - 1, -1, -1) & 1
    return np.packbits(bits.astype(np.uint8).reshape(-1)).tobytes()
