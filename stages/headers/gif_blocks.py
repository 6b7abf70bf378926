"""A GIF's blocks, walked frame by frame: what stands before each, and where its colours and its pixels lie.

Layout: GIF89a specification.
"""

import struct
from typing import Final

import msgspec

from ipc.errors import FrameError
from stages.headers.header import Part, damaged

_SCREEN: Final = struct.Struct("<6xHHBxx")
_FRAME: Final = struct.Struct("<HHHHB")
_EXTENSION, _IMAGE, _END, _NOTHING = 0x21, 0x2C, 0x3B, 0x00
_GRAPHIC_CONTROL: Final = 0xF9
_CONTROL_BYTES: Final = 4
_HAS_TABLE, _IS_INTERLACED, _TABLE_SIZE = 0x80, 0x40, 0x07
_HAS_TRANSPARENCY: Final = 1


class Frame(msgspec.Struct, frozen=True):
    """A frame, without its pixels."""

    left: int
    top: int
    width: int
    height: int
    is_interlaced: bool
    table: Part
    """Colours, three bytes each: its own, else those of all frames. May be empty."""
    control: bytes
    """Of the last graphic control extension before it: four bytes, or none."""
    is_transparent: bool
    """Whether any of these extensions says that a colour is."""

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Where it lies: left, top, right, bottom."""
        return self.left, self.top, self.left + self.width, self.top + self.height

    @property
    def disposal(self) -> int:
        """What is to become of it."""
        return self.control[0] >> 2 & 7 if self.control else 0


class Walk:
    """From frame to frame. Every method raises `FrameError` BAD_IMAGE.

    Blocks beside the pixels are bounded: each takes its time, and some are of one byte. So are the parts of extensions.
    """

    def __init__(self, data: bytes | memoryview, blocks_max: int) -> None:
        if len(data) < _SCREEN.size:
            raise _cut_off()
        self._data = data
        self.width, self.height, flags = _SCREEN.unpack_from(data)
        """Of the screen. Frames may go beyond it."""
        self._blocks_max = self._blocks_left = blocks_max
        self._table = Part(_SCREEN.size, _SCREEN.size + _table_bytes(flags))
        self._at = self._table.end
        self._is_before_pixels = False
        self.is_ended = False
        """The end was met, and not only that of the file."""

    def next_frame(self) -> Frame | None:
        """Go to the next frame, and return it; None where there is none. A missing end is none."""
        try:
            return self._next_frame()
        except (struct.error, IndexError):  # an offset behind the end
            raise _cut_off() from None

    def code_bits(self) -> int:
        """Read the size of the frame's first code, without going on."""
        if self._at >= len(self._data):
            raise _cut_off()
        return self._data[self._at]

    def pixels(self) -> Part:
        """Go behind the frame's pixels, and return them: compressed, with the size of the first code before them."""
        start = self._at
        try:
            # Not counted: a large picture has many, and each is as long as it can be.
            at = start + 1
            while length := self._data[at]:
                at += length + 1
        except IndexError:
            raise _cut_off() from None
        self._at = at + 1
        self._is_before_pixels = False
        return Part(start, self._at)

    def _next_frame(self) -> Frame | None:
        if self._is_before_pixels:
            self.pixels()
        data = self._data
        control, is_transparent = b"", False
        while self._at < len(data):
            kind = data[self._at]
            if kind == _END:
                self.is_ended = True
                return None
            if kind == _EXTENSION:
                if data[self._at + 1] == _GRAPHIC_CONTROL:
                    control = self._control(self._at + 2)
                    is_transparent |= bool(control[0] & _HAS_TRANSPARENCY)
                self._pass_extension()
            elif kind == _IMAGE:
                self._count_block()
                return self._frame(control, is_transparent)
            elif kind == _NOTHING:  # some writers end an extension twice
                self._count_block()
                self._at += 1
            else:
                raise _damaged("has bytes between its blocks")
        if control:
            raise _cut_off()
        return None

    def _control(self, at: int) -> bytes:
        if self._data[at] != _CONTROL_BYTES:
            raise _damaged("has a graphic control extension of impossible length")
        control = bytes(self._data[at + 1 : at + 1 + _CONTROL_BYTES])
        if len(control) < _CONTROL_BYTES:
            raise _cut_off()
        return control

    def _pass_extension(self) -> None:
        at = self._at + 2
        while length := self._data[at]:
            self._count_block()
            at += length + 1
        self._count_block()
        self._at = at + 1

    def _count_block(self) -> None:
        self._blocks_left -= 1
        if self._blocks_left < 0:
            raise _damaged(f"has more than {self._blocks_max} blocks beside its pixels")

    def _frame(self, control: bytes, is_transparent: bool) -> Frame:
        left, top, width, height, flags = _FRAME.unpack_from(self._data, self._at + 1)
        if width == 0 or height == 0:
            raise _damaged("has a frame with a side of 0 pixels")
        start = self._at + 1 + _FRAME.size
        end = start + _table_bytes(flags)
        self._at = end
        self._is_before_pixels = True
        table = Part(start, end) if flags & _HAS_TABLE else self._table
        return Frame(left, top, width, height, bool(flags & _IS_INTERLACED), table, control, is_transparent)


def _table_bytes(flags: int) -> int:
    return 3 << (flags & _TABLE_SIZE) + 1 if flags & _HAS_TABLE else 0


def _cut_off() -> FrameError:
    return _damaged("is cut off")


def _damaged(what: str) -> FrameError:
    return damaged("GIF", what)
