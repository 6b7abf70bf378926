"""Rows of a PNG: whether its data hold them all.

Pillow takes data that end well after any whole row, and leaves the rows that are missing black.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from stages.decoders.png_essence import CHANNELS, Essence
from stages.headers.header import damaged

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngImageFile

_PASSES: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7 (ISO/IEC 15948, section 8.2): first column and row, steps across and down."""
_WHOLE: Final = ((0, 0, 1, 1),)
_MARK: Final = 0xA5
"""Of 1, 2 or 4 bits no sample becomes this."""
_DEEP_MARK: Final = 0xA5A5
_IN_BYTES, _OUT_BYTES = 1 << 16, 1 << 20


def load_rows(image: PngImageFile, essence: Essence) -> None:
    """Load the pixels. Raises `FrameError` BAD_IMAGE if some are missing, and what Pillow does.

    The row that comes last in the data is marked beforehand. Only if it still looks so is there a doubt, and the data
    are inflated once more to be counted.
    """
    import numpy as np
    from PIL import Image

    last = image.height - 1
    if essence.is_interlaced and image.height > 1:
        last -= image.height % 2  # the last pass is the one of the odd rows
    mark = _mark(image)
    canvas = Image.new(image.mode, image.size)
    box = (0, last, image.width, last + 1)
    canvas.paste(mark, box)
    image.im = canvas.im
    image.load()
    # Where no row is odd, any pass may be the last, and each leaves gaps.
    is_in_doubt = (essence.is_interlaced and image.height == 1) or (np.asarray(image.crop(box)) == mark).all()
    if is_in_doubt and not _has_all(image.size, essence):
        raise damaged("PNG", "is truncated: its data end before its last row")


def _mark(image: PngImageFile) -> int | tuple[int, ...]:
    if image.mode == "1":
        return 0
    if image.mode.startswith("I"):
        return _DEEP_MARK
    bands = len(image.getbands())
    return _MARK if bands == 1 else (_MARK,) * bands


def _has_all(size: tuple[int, int], essence: Essence) -> bool:
    left = _needed_bytes(size, essence)
    inflater = zlib.decompressobj()
    for at in range(0, len(essence.pixels) + _IN_BYTES, _IN_BYTES):  # once more than there is: for what it holds back
        tail: bytes | memoryview = essence.pixels[at : at + _IN_BYTES]
        while left > 0:
            left -= len(inflater.decompress(tail, _OUT_BYTES))
            tail = inflater.unconsumed_tail
            if not tail:
                break
    return left <= 0


def _needed_bytes(size: tuple[int, int], essence: Essence) -> int:
    """Of all rows, each behind the number of its filter."""
    width, height = size
    bits = essence.depth * CHANNELS[essence.color]
    total = 0
    for left, top, across, down in _PASSES if essence.is_interlaced else _WHOLE:
        columns, rows = -((left - width) // across), -((top - height) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total
