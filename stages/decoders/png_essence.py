"""A PNG's essence: the chunks that make the picture. They alone are shown to a decoder.

Neither an animation's other frames nor texts, which may inflate to anything, go any further. Checksums are held here,
those of the pixels too, which Pillow passes over. Chunks: ISO/IEC 15948 (PNG, third edition), sections 5 and 11.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Final

import msgspec

from ipc.errors import FrameError
from stages.decoders.profile import PROFILE_BYTES_MAX
from stages.headers.header import damaged
from stages.headers.png import MAGIC

CHUNKS_MAX: Final = 1 << 16
"""Of a whole file: encoders write pixels in chunks of 8 KiB or more."""

GRAY, RGB, PALETTE, GRAY_ALPHA = 0, 2, 3, 4
"""Colour types; the fifth is 6, RGB with alpha."""
CHANNELS: Final = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, 6: 4}
"""By colour type."""

_CHUNK: Final = struct.Struct(">L4s")
_NUMBER: Final = struct.Struct(">L")
_LOOKED_AT: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP"})
_DEPTH_AT: Final = 8
_INTERLACE_AT: Final = 12
_NAME_BYTES_MAX: Final = 79


class Essence(msgspec.Struct, frozen=True):
    """A PNG as far as its pixels need it."""

    data: bytes
    """A PNG file of the chunks IHDR, PLTE, tRNS of a palette, one IDAT and IEND."""
    depth: int
    """Bits a channel."""
    color: int
    """Colour type."""
    is_interlaced: bool
    pixels: memoryview
    """What the chunk IDAT holds: rows, deflated."""
    transparent: tuple[int, ...]
    """The one grey, or the one colour, that is transparent, in the file's own depth; empty if there is none."""
    profile: bytes | None
    """ICC."""


def essence_of(source: memoryview) -> Essence:
    """Walk all chunks of a file whose header was found good. Raises `FrameError` BAD_IMAGE."""
    at = len(MAGIC)
    chunks: dict[bytes, memoryview] = {}
    pixels: list[memoryview] = []
    is_behind_pixels = False
    for _ in range(CHUNKS_MAX):
        if at + 12 > len(source):
            raise _damaged("is truncated")
        length, kind = _CHUNK.unpack_from(source, at)
        end = at + 8 + length
        if end + 4 > len(source):
            raise _damaged("is truncated")
        if kind in _LOOKED_AT and zlib.crc32(source[at + 4 : end]) != _NUMBER.unpack_from(source, end)[0]:
            raise _damaged(f"has a chunk {kind.decode()} with a wrong checksum")
        body = source[at + 8 : end]
        if kind == b"IEND":
            return _essence(chunks, pixels)
        if kind == b"IDAT":
            if is_behind_pixels:
                raise _damaged("has other chunks among its pixels")
            pixels.append(body)
        elif pixels:
            is_behind_pixels = True
        elif kind in _LOOKED_AT:
            chunks.setdefault(kind, body)
        at = end + 4
    raise _damaged(f"has more than {CHUNKS_MAX} chunks")


def _essence(chunks: dict[bytes, memoryview], pixels: Sequence[memoryview]) -> Essence:
    header = chunks[b"IHDR"]
    depth, color = header[_DEPTH_AT], header[_DEPTH_AT + 1]
    transparency = chunks.get(b"tRNS", b"")
    parts = [MAGIC, *_written(b"IHDR", header)]
    if color == PALETTE:
        parts += _written(b"PLTE", chunks[b"PLTE"])
        if transparency:
            parts += _written(b"tRNS", transparency)
    start = sum(map(len, parts)) + _CHUNK.size
    parts += _written(b"IDAT", *pixels)
    parts += _written(b"IEND")
    data = b"".join(parts)
    profile = chunks.get(b"iCCP")
    return Essence(
        data,
        depth,
        color,
        header[_INTERLACE_AT] != 0,
        memoryview(data)[start : start + sum(map(len, pixels))],
        _values(transparency) if color in (GRAY, RGB) else (),
        None if profile is None else _inflated(bytes(profile)),
    )


def _written(kind: bytes, *bodies: memoryview | bytes) -> list[memoryview | bytes]:
    """Parts of one chunk. Its checksum is for nobody who reads the pixels, and right for the others."""
    crc = zlib.crc32(kind) if kind == b"IDAT" else zlib.crc32(b"".join((kind, *bodies)))
    return [_CHUNK.pack(sum(map(len, bodies)), kind), *bodies, _NUMBER.pack(crc)]


def _values(transparency: memoryview | bytes) -> tuple[int, ...]:
    return struct.unpack_from(f">{len(transparency) // 2}H", transparency)


def _inflated(chunk: bytes) -> bytes | None:
    """The profile out of an iCCP chunk; None where it cannot be read."""
    name, _, rest = chunk.partition(b"\0")
    if len(name) > _NAME_BYTES_MAX or rest[:1] != b"\0":  # 0: deflated, the only method there is
        return None
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(rest[1:], PROFILE_BYTES_MAX)
    except zlib.error:
        return None
    if inflater.unconsumed_tail:
        raise _damaged(f"has a colour profile that inflates to more than {PROFILE_BYTES_MAX} bytes")
    return profile


def _damaged(what: str) -> FrameError:
    return damaged("PNG", what)
