"""GIF: each frame's pixels decoded by Pillow, and laid over those before it as browsers do.

What no frame covers is transparent, and what a frame has beyond the canvas is not seen. Layout: GIF89a specification.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from ipc.errors import FrameError
from stages.decoders.page import Page, check_page
from stages.headers.header import Part, damaged

if TYPE_CHECKING:
    from PIL.Image import Image

    from ipc.pixels import Geometry

BEYOND_CANVAS_MAX: Final = 1 << 20
"""Pixels that frames larger than their canvas may have more than it, in all: the plan has counted the canvas only."""

BLOCKS_MAX: Final = 1 << 16
"""Frames, what stands before each, and stray bytes, up to the frame that is asked for: each takes its time, and some
are of one byte."""

_SCREEN: Final = struct.Struct("<6s4xBxx")
_FRAME: Final = struct.Struct("<HHHHB")
_EXTENSION, _IMAGE, _END, _NOTHING = 0x21, 0x2C, 0x3B, 0x00
_GRAPHIC_CONTROL: Final = 0xF9
_HAS_TABLE, _IS_INTERLACED, _TABLE_SIZE = 0x80, 0x40, 0x07
_TO_NOTHING, _TO_BEFORE = 2, 3
"""What is to become of a frame before the next is shown; whatever else is said, it stays."""


class _Frame(msgspec.Struct, frozen=True):
    left: int
    top: int
    width: int
    height: int
    flags: int
    table: Part
    """Colours, three bytes each."""
    pixels: Part
    """Compressed, with the size of the first code before them."""
    control: bytes
    """Of the graphic control extension before it; empty if there is none."""

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Where it lies: left, top, right, bottom."""
        return self.left, self.top, self.left + self.width, self.top + self.height

    @property
    def disposal(self) -> int:
        """What is to become of it."""
        return self.control[0] >> 2 & 7 if self.control else 0


def load(source: memoryview, geometry: Geometry, page: int) -> Page:
    """Decode frame `page` and all before it. Raises FrameError, and what Pillow does."""
    from PIL import Image

    canvas, shown = None, -1
    beyond = 0
    for shown, frame in enumerate(_frames(source)):
        beyond += max(0, frame.width * frame.height - geometry.pixels)
        if beyond > BEYOND_CANVAS_MAX:
            raise _damaged("has frames far larger than its canvas")
        picture = _decoded(source, frame)
        if page == 0 and frame.box == (0, 0, geometry.width, geometry.height):
            return Page(picture)
        canvas = canvas or Image.new("RGBA", (geometry.width, geometry.height))
        before = canvas.crop(frame.box) if frame.disposal == _TO_BEFORE else None
        layer = picture.convert("RGBA")
        canvas.paste(layer, frame.box[:2], layer)
        if shown == page:
            return Page(canvas)
        if before is not None:
            canvas.paste(before, frame.box[:2])
        elif frame.disposal == _TO_NOTHING:
            canvas.paste((0, 0, 0, 0), frame.box)
    if shown < 0:
        raise _damaged("has no frame")
    check_page(page, shown)
    raise AssertionError("the page is there, or was said to be missing")


def _frames(source: memoryview) -> Iterator[_Frame]:
    """All frames in order, each read when it is asked for. A missing end is none."""
    try:
        _, flags = _SCREEN.unpack_from(source)
        table = Part(_SCREEN.size, _SCREEN.size + _table_bytes(flags))
        at, control = table.end, b""
        left = BLOCKS_MAX
        while at < len(source) and source[at] != _END:
            left -= 1
            if left < 0:
                raise _damaged(f"has more than {BLOCKS_MAX} blocks")
            if source[at] == _EXTENSION:
                if source[at + 1] == _GRAPHIC_CONTROL:
                    control = bytes(source[at + 3 : at + 7])
                at = _behind_blocks(source, at + 2)
            elif source[at] == _IMAGE:
                frame = _frame(source, at + 1, table, control)
                yield frame
                at, control = frame.pixels.end, b""
            elif source[at] == _NOTHING:
                at += 1
            else:
                raise _damaged("has bytes between its blocks")
        if at >= len(source) and control:
            raise _damaged("is truncated")
    except (struct.error, IndexError):  # an offset behind the end
        raise _damaged("is truncated") from None


def _frame(source: memoryview, at: int, table: Part, control: bytes) -> _Frame:
    left, top, width, height, flags = _FRAME.unpack_from(source, at)
    if width == 0 or height == 0:
        raise _damaged("has a frame with a side of 0 pixels")
    start = at + _FRAME.size
    if flags & _HAS_TABLE:
        table = Part(start, start + _table_bytes(flags))
        start = table.end
    return _Frame(left, top, width, height, flags, table, Part(start, _behind_blocks(source, start + 1)), control)


def _table_bytes(flags: int) -> int:
    return 3 << (flags & _TABLE_SIZE) + 1 if flags & _HAS_TABLE else 0


def _behind_blocks(source: memoryview, at: int) -> int:
    """Offset behind a chain of sub-blocks."""
    while source[at]:
        at += source[at] + 1
    return at + 1


def _decoded(source: memoryview, frame: _Frame) -> Image:
    """Decode one frame as a GIF of its own, of no more than its pixels."""
    from PIL.GifImagePlugin import GifImageFile

    colors = frame.table.of(source)
    size = (len(colors) // 3).bit_length() - 2
    has_table = _HAS_TABLE | size if colors else 0
    control = (
        b"!\xf9\x04" + frame.control[:1] + b"\0\0" + frame.control[3:4] + b"\0" if len(frame.control) == 4 else b""
    )
    data = b"".join(
        (
            b"GIF89a" + struct.pack("<HHBBB", frame.width, frame.height, has_table, 0, 0),
            colors,
            control,
            b"," + _FRAME.pack(0, 0, frame.width, frame.height, frame.flags & _IS_INTERLACED),
            frame.pixels.of(source),
            b";",
        )
    )
    with GifImageFile(io.BytesIO(data)) as image:
        image.load()
        return image


def _damaged(what: str) -> FrameError:
    return damaged("GIF", what)
