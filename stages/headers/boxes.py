"""Boxes of the ISO base media file format, whatever they hold. Syntax: ISO/IEC 14496-12, section 4.2."""

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from ipc.errors import FrameError
from stages.headers.header import Part, damaged

BOXES_MAX: Final = 2048
"""In one file, all that are walked over; a picture has some dozens, one put together from tiles some hundreds."""

_HEADER: Final = struct.Struct(">L4s")
_LARGE: Final = struct.Struct(">Q")
_FULL: Final = struct.Struct(">L")
_TO_THE_END, _HAS_LARGE_SIZE = 0, 1
_USER_TYPE_BYTES: Final = 16


class Box(msgspec.Struct, frozen=True):
    """One box: its type and what it holds."""

    kind: bytes
    body: Part


class Boxes:
    """Walks over the boxes of one file, at most `BOXES_MAX` of them, however they are nested."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = data
        self._left = BOXES_MAX

    def top(self) -> Iterator[Box]:
        """Yield the boxes of the file, ending where one goes beyond its end."""
        at, end = 0, len(self._data)
        while at + _HEADER.size <= end:
            box = self._read(at, end, is_top=True)
            if box.body.end > end:
                return
            yield box
            at = box.body.end

    def within(self, part: Part) -> Iterator[Box]:
        """Yield the boxes that a part of the file consists of. Raises `FrameError` BAD_IMAGE."""
        at, end = part.start, part.end
        while at < end:
            if at + _HEADER.size > end:
                raise bad("has bytes behind a box that are none")
            box = self._read(at, end, is_top=False)
            if box.body.end > end:
                raise bad("has a box that goes beyond the one around it")
            yield box
            at = box.body.end

    def find(self, part: Part, kind: bytes) -> Box | None:
        """Return the first box of a kind."""
        return next((box for box in self.within(part) if box.kind == kind), None)

    def full(self, box: Box) -> tuple[int, Part]:
        """Return the version and flags, as one number of 32 bits, and what is behind them."""
        if box.body.end - box.body.start < _FULL.size:
            raise bad("has a box without its version")
        (version_and_flags,) = _FULL.unpack_from(self._data, box.body.start)
        return version_and_flags, Part(box.body.start + _FULL.size, box.body.end)

    def _read(self, at: int, end: int, *, is_top: bool) -> Box:
        """What the header at `at` says; it may go beyond `end`."""
        self._left -= 1
        if self._left < 0:
            raise bad(f"has more than {BOXES_MAX} boxes")
        size, kind = _HEADER.unpack_from(self._data, at)
        start = at + _HEADER.size
        if size == _HAS_LARGE_SIZE:
            if start + _LARGE.size > end:
                raise bad("is cut off")
            (size,) = _LARGE.unpack_from(self._data, start)
            start += _LARGE.size
        elif size == _TO_THE_END and is_top:
            size = end - at
        if kind == b"uuid":
            start += _USER_TYPE_BYTES
        if at + size < start:
            raise bad("has a box of impossible length")
        return Box(kind, Part(start, at + size))


def bad(what: str) -> FrameError:
    """Say what is wrong with an AVIF, the only format of such boxes that is accepted."""
    return damaged("AVIF", what)
