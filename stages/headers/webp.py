"""A WebP's header: its RIFF chunks, and the first bytes of its bitstream.

Container: RFC 9649; lossy frame header: RFC 6386, section 9.1. Alpha is told as libwebp tells it.
"""

import struct
from typing import Final

import msgspec

from ipc.errors import FrameError
from ipc.pixels import Layout
from stages.headers import exif
from stages.headers.header import Header, Part, damaged

MAGIC: Final = b"RIFF"
KIND: Final = b"WEBP"
KIND_AT: Final = 8

CHUNKS_MAX: Final = 1024
"""Of an extended file before its pixels; behind them no more are looked at for EXIF."""

_RIFF_BYTES: Final = 12
_CHUNK: Final = struct.Struct("<4sL")
_RIFF: Final = struct.Struct("<4sL4s")
_LOSSY: Final = struct.Struct("<BBB3sHH")
_LOSSLESS: Final = struct.Struct("<BL")
_EXTENDED: Final = struct.Struct("<BxxxHBHB")
_LOSSY_MARK: Final = b"\x9d\x01\x2a"
_LOSSLESS_MARK: Final = 0x2F
_ANIMATED, _EXIF, _ALPHA = 0x02, 0x08, 0x10
_EXIF_PREFIX: Final = b"Exif\0\0"
"""Does not belong there, but some writers put it before the block."""


class _Chunk(msgspec.Struct, frozen=True):
    kind: bytes
    body: Part


class _Frame(msgspec.Struct, frozen=True):
    width: int
    height: int
    has_alpha: bool


def read_header(data: bytes | memoryview) -> Header:
    """Read what stands before the pixels, and EXIF behind them. Raises `FrameError` BAD_IMAGE."""
    end = _riff_end(data)
    first = _chunk(data, _RIFF_BYTES, end)
    if first.kind == b"VP8X":
        return _read_extended(data, first.body, end)
    frame = _read_frame(data, first)
    return Header(frame.width, frame.height, _layout(frame.has_alpha))


def _riff_end(data: bytes | memoryview) -> int:
    if len(data) < _RIFF_BYTES + _CHUNK.size:
        raise _damaged("is cut off")
    _, size, _ = _RIFF.unpack_from(data, 0)
    end: int = size + 8
    if end < _RIFF_BYTES + _CHUNK.size:
        raise _damaged("has a RIFF header of impossible length")
    if end > len(data):
        raise _damaged("is cut off")
    return end


def _chunk(data: bytes | memoryview, at: int, end: int) -> _Chunk:
    if at + _CHUNK.size > end:
        raise _damaged("ends before its pixels")
    kind, length = _CHUNK.unpack_from(data, at)
    start = at + _CHUNK.size
    if start + length > end:
        raise _damaged("has a chunk that goes beyond its end")
    return _Chunk(kind, Part(start, start + length))


def _behind(chunk: _Chunk) -> int:
    """Chunks begin at even offsets."""
    return chunk.body.end + (chunk.body.end & 1)


def _read_extended(data: bytes | memoryview, body: Part, end: int) -> Header:
    if body.end - body.start != _EXTENDED.size:
        raise _damaged("has a VP8X chunk of impossible length")
    flags, width_low, width_high, height_low, height_high = _EXTENDED.unpack_from(data, body.start)
    width, height = (width_low | width_high << 16) + 1, (height_low | height_high << 16) + 1
    at = body.end
    has_alpha = flags & _ALPHA != 0
    if not flags & _ANIMATED:
        has_alpha, at = _read_still(data, at, end, _Frame(width, height, has_alpha))
    block = _find_exif(data, at, end) if flags & _EXIF else None
    orientation = exif.UPRIGHT if block is None else exif.orientation(block.of(data))
    return Header(width, height, _layout(has_alpha), orientation, block)


def _read_still(data: bytes | memoryview, at: int, end: int, canvas: _Frame) -> tuple[bool, int]:
    """Whether the only frame has alpha, and the offset where its metadata may begin."""
    first = at
    has_alpha = canvas.has_alpha
    for _ in range(CHUNKS_MAX):
        chunk = _chunk(data, at, end)
        if chunk.kind in (b"VP8 ", b"VP8L"):
            frame = _read_frame(data, chunk)
            if (frame.width, frame.height) != (canvas.width, canvas.height):
                raise _damaged("has a frame of another size than its canvas")
            return frame.has_alpha if chunk.kind == b"VP8L" else has_alpha, first
        has_alpha |= chunk.kind == b"ALPH"
        at = _behind(chunk)
    raise _damaged(f"has more than {CHUNKS_MAX} chunks before its pixels")


def _find_exif(data: bytes | memoryview, at: int, end: int) -> Part | None:
    for _ in range(CHUNKS_MAX):
        try:
            chunk = _chunk(data, at, end)
        except FrameError:  # nothing follows; or it is damaged there, which the decoder will say
            return None
        if chunk.kind == b"EXIF":
            is_prefixed = bytes(chunk.body.of(data)[: len(_EXIF_PREFIX)]) == _EXIF_PREFIX
            return Part(chunk.body.start + len(_EXIF_PREFIX) * is_prefixed, chunk.body.end)
        at = _behind(chunk)
    return None


def _read_frame(data: bytes | memoryview, chunk: _Chunk) -> _Frame:
    length = chunk.body.end - chunk.body.start
    if chunk.kind == b"VP8 ":
        if length < _LOSSY.size:
            raise _damaged("is cut off")
        return _read_lossy(data, chunk.body.start, length)
    if chunk.kind == b"VP8L":
        if length < _LOSSLESS.size:
            raise _damaged("is cut off")
        return _read_lossless(data, chunk.body.start)
    raise _damaged("begins with a chunk that is none of VP8, VP8L and VP8X")


def _read_lossy(data: bytes | memoryview, at: int, length: int) -> _Frame:
    low, middle, high, mark, width, height = _LOSSY.unpack_from(data, at)
    tag = low | middle << 8 | high << 16
    is_key, profile, is_shown, partition_bytes = not tag & 1, tag >> 1 & 7, tag >> 4 & 1, tag >> 5
    if mark != _LOSSY_MARK or not is_key or not is_shown or profile > 3 or partition_bytes >= length:
        raise _damaged("has a damaged VP8 frame header")
    frame = _Frame(width & 0x3FFF, height & 0x3FFF, has_alpha=False)  # above: how it would be scaled for a screen
    if frame.width == 0 or frame.height == 0:
        raise _damaged("has a side of 0 pixels")
    return frame


def _read_lossless(data: bytes | memoryview, at: int) -> _Frame:
    mark, bits = _LOSSLESS.unpack_from(data, at)
    if mark != _LOSSLESS_MARK or bits >> 29:
        raise _damaged("has a damaged VP8L header")
    return _Frame((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, has_alpha=bits >> 28 & 1 != 0)


def _layout(has_alpha: bool) -> Layout:
    return Layout.RGBA if has_alpha else Layout.RGB


def _damaged(what: str) -> FrameError:
    return damaged("WebP", what)
