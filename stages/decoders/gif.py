"""GIF: each frame's pixels decoded by Pillow, and laid over those before it as browsers do.

What no frame covers is transparent, and what a frame has beyond the canvas is not seen.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Final

from stages.decoders.page import Page, check_page
from stages.headers.gif_blocks import Walk
from stages.headers.header import damaged

if TYPE_CHECKING:
    from PIL.Image import Image

    from ipc.pixels import Geometry
    from stages.headers.gif_blocks import Frame
    from stages.headers.header import Part

BEYOND_CANVAS_MAX: Final = 1 << 20
"""Pixels that frames larger than their canvas may have more than it, in all: the plan has counted the canvas only."""

BLOCKS_MAX: Final = 1 << 17
"""Up to the frame that is asked for."""

_FRAME: Final = struct.Struct("<HHHHB")
_HAS_TABLE, _IS_INTERLACED = 0x80, 0x40
_TO_NOTHING, _TO_BEFORE = 2, 3
"""What is to become of a frame before the next is shown; whatever else is said, it stays."""


def load(source: memoryview, geometry: Geometry, page: int) -> Page:
    """Decode frame `page` and all before it. Raises FrameError, and what Pillow does."""
    from PIL import Image

    walk = Walk(source, BLOCKS_MAX)
    canvas, shown = None, -1
    beyond = 0
    while (frame := walk.next_frame()) is not None:
        shown += 1
        beyond += max(0, frame.width * frame.height - geometry.pixels)
        if beyond > BEYOND_CANVAS_MAX:
            raise damaged("GIF", "has frames far larger than its canvas")
        picture = _decoded(source, frame, walk.pixels())
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
        raise damaged("GIF", "has no frame")
    check_page(page, shown)
    raise AssertionError("the page is there, or was said to be missing")


def _decoded(source: memoryview, frame: Frame, pixels: Part) -> Image:
    """Decode one frame as a GIF of its own, of no more than its pixels."""
    from PIL.GifImagePlugin import GifImageFile

    colors = frame.table.of(source)
    size = (len(colors) // 3).bit_length() - 2
    has_table = _HAS_TABLE | size if colors else 0
    control = b"!\xf9\x04" + frame.control[:1] + b"\0\0" + frame.control[3:] + b"\0" if frame.control else b""
    interlaced = _IS_INTERLACED if frame.is_interlaced else 0
    data = b"".join(
        (
            b"GIF89a" + struct.pack("<HHBBB", frame.width, frame.height, has_table, 0, 0),
            colors,
            control,
            b"," + _FRAME.pack(0, 0, frame.width, frame.height, interlaced),
            pixels.of(source),
            b";",
        )
    )
    with GifImageFile(io.BytesIO(data)) as image:
        image.load()
        return image
