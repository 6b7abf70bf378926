"""A PNG's header: the chunks up to the first of its pixels, none of whose contents is inflated.

Chunks: ISO/IEC 15948 (PNG, third edition), sections 5 and 11. Of an APNG it is the default image.
"""

import struct
import zlib
from typing import Final

from ipc.errors import FrameError
from ipc.pixels import Layout
from stages.headers import exif
from stages.headers.header import Header, Part, damaged, unsupported

MAGIC: Final = b"\x89PNG\r\n\x1a\n"

CHUNKS_MAX: Final = 1024
"""Before the first pixels. A dozen is usual; tools that write a chunk for each text come to some hundreds."""
PROFILE_BYTES_MAX: Final = 4 << 20
"""Of an iCCP chunk, deflated. What it inflates to, the decoder bounds."""

_SIDE_MAX: Final = (1 << 31) - 1
_CHUNK_BYTES_MAX: Final = (1 << 31) - 1
_IHDR_BYTES: Final = 13
_FIRST: Final = len(MAGIC)
_AFTER_IHDR: Final = _FIRST + 8 + _IHDR_BYTES + 4

_CHUNK: Final = struct.Struct(">L4s")
_IHDR: Final = struct.Struct(">LLBBBBB")
_CRC: Final = struct.Struct(">L")

_GRAY, _RGB, _PALETTE, _GRAY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_DEPTHS: Final = {
    _GRAY: frozenset({1, 2, 4, 8, 16}),
    _RGB: frozenset({8, 16}),
    _PALETTE: frozenset({1, 2, 4, 8}),
    _GRAY_ALPHA: frozenset({8, 16}),
    _RGB_ALPHA: frozenset({8, 16}),
}
_LAYOUTS: Final = {
    _GRAY: Layout.GRAY,
    _RGB: Layout.RGB,
    _PALETTE: Layout.RGB,
    _GRAY_ALPHA: Layout.RGBA,
    _RGB_ALPHA: Layout.RGBA,
}
_TRANSPARENT_BYTES: Final = {_GRAY: 2, _RGB: 6}
"""Of a tRNS chunk: one value a channel."""
_PALETTE_BYTES_MAX: Final = 3 * 256
_ANCILLARY: Final = 0x20
"""Set in the first letter of a chunk's name where the picture can be shown without knowing it."""


def read_header(data: bytes | memoryview) -> Header:
    """Walk from IHDR to the first IDAT. Raises `FrameError` BAD_IMAGE or UNSUPPORTED_FORMAT."""
    width, height, color = _read_ihdr(data)
    found = _Found(color)
    at = _AFTER_IHDR
    size = len(data)
    for _ in range(CHUNKS_MAX):
        if at + _CHUNK.size > size:
            raise _damaged("is cut off")
        length, kind = _CHUNK.unpack_from(data, at)
        start = at + _CHUNK.size
        if kind == b"IDAT":
            return found.header(data, width, height)
        if length > _CHUNK_BYTES_MAX or not kind.isalpha():
            raise _damaged("has a chunk of impossible length or name")
        found.note(kind, Part(start, start + length))
        at = start + length + _CRC.size
    raise _damaged(f"has more than {CHUNKS_MAX} chunks before its pixels")


class _Found:
    """What the chunks before the pixels have told so far."""

    def __init__(self, color: int) -> None:
        self._color = color
        self._layout = _LAYOUTS[color]
        self._has_palette = False
        self._exif: Part | None = None

    def note(self, kind: bytes, body: Part) -> None:
        """Take in one chunk."""
        length = body.end - body.start
        if kind == b"PLTE":
            if self._has_palette:
                raise _damaged("has a second palette")
            if length == 0 or length % 3 or length > _PALETTE_BYTES_MAX:
                raise _damaged("has a palette of impossible length")
            self._has_palette = True
        elif kind == b"tRNS":
            if length < _TRANSPARENT_BYTES.get(self._color, 0):
                raise _damaged("has a tRNS chunk of impossible length")
            self._layout = Layout.RGBA
        elif kind == b"eXIf":
            self._exif = self._exif or body
        elif kind == b"iCCP" and length > PROFILE_BYTES_MAX:
            raise _damaged(f"has a colour profile of more than {PROFILE_BYTES_MAX} bytes")
        elif kind == b"fdAT" or not kind[0] & _ANCILLARY:
            raise _damaged(f"has a chunk {kind.decode()} before its pixels")

    def header(self, data: bytes | memoryview, width: int, height: int) -> Header:
        """What they tell together."""
        if self._color == _PALETTE and not self._has_palette:
            raise _damaged("has pixels of a palette that is not there")
        orientation = exif.UPRIGHT if self._exif is None else exif.orientation(self._exif.of(data))
        return Header(width, height, self._layout, orientation, self._exif)


def _read_ihdr(data: bytes | memoryview) -> tuple[int, int, int]:
    """Width, height and colour type."""
    if len(data) < _AFTER_IHDR:
        raise _damaged("is cut off")
    length, kind = _CHUNK.unpack_from(data, _FIRST)
    if kind == b"CgBI":
        raise unsupported("PNG", "of Apple's own kind (CgBI) is not accepted")
    if kind != b"IHDR" or length != _IHDR_BYTES:
        raise _damaged("does not begin with IHDR")
    width, height, depth, color, compression, filtering, interlacing = _IHDR.unpack_from(data, _FIRST + 8)
    (crc,) = _CRC.unpack_from(data, _AFTER_IHDR - 4)
    if zlib.crc32(data[_FIRST + 4 : _AFTER_IHDR - 4]) != crc:
        raise _damaged("has an IHDR with a wrong checksum")
    if not (1 <= width <= _SIDE_MAX and 1 <= height <= _SIDE_MAX):
        raise _damaged("has a side of 0 pixels, or of more than 2147483647")
    if depth not in _DEPTHS.get(color, ()):
        raise _damaged(f"has a colour type {color} of {depth} bits, which there is not")
    if compression != 0 or filtering != 0 or interlacing > 1:
        raise _damaged("has a compression, filter or interlace method that there is not")
    return width, height, color


def _damaged(what: str) -> FrameError:
    return damaged("PNG", what)
