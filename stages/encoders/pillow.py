"""Pillow as a writer: pixels of any layout as its picture, and its picture as the bytes of a file."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from ipc.pixels import Layout
from stages.alpha import is_opaque
from stages.shortage import tells_of_shortage
from stages.strips import strips

if TYPE_CHECKING:
    from PIL.Image import Image

    from stages.raster import Pixels

_MODES: Final = {Layout.GRAY: "L", Layout.RGB: "RGB", Layout.BGR: "RGB", Layout.RGBA: "RGBA", Layout.BGRA: "RGBA"}
_SHORTAGES: Final = (
    "broken data stream when writing image file",  # libjpeg gave up: of pixels in memory nothing is broken
    "encoding error 1",  # libwebp's "out of memory"
    "encoding error 2",  # and that of its bit writer
    "could not create mux object",
    "cannot write file as WebP (encoder returned None)",
)
"""How some of the writers say that memory was refused: words that would mean something else of a reader."""


def picture(pixels: Pixels, layout: Layout) -> Image:
    """`pixels` as Pillow holds them: grey and RGBA where they lie, everything else copied to 4 bytes a pixel."""
    from PIL import Image

    height, width, _ = pixels.shape
    order = "L" if layout is Layout.GRAY else layout.value
    return Image.frombuffer(_MODES[layout], (width, height), pixels, "raw", order, 0, 1)


def laid_on(pixels: Pixels, background: tuple[int, ...]) -> Pixels:
    """What `stages.alpha.flattened` makes, to the bit.

    It takes one and a half times as long, but no OpenCV, which a process that only encodes would load for this alone: 4
    MiB.
    """
    import numpy as np
    from PIL import Image

    result = np.empty((*pixels.shape[:2], 3), np.uint8)
    if is_opaque(pixels):
        result[:] = pixels[..., :3]
        return result
    for rows in strips(pixels):
        strip = picture(pixels[rows], Layout.RGBA)  # the order of the colours is of no consequence
        behind = Image.new("RGB", strip.size, background[:3])
        behind.paste(strip, mask=strip)
        result[rows] = np.asarray(behind)
    return result


def saved(image: Image, format_name: str, **options: Any) -> bytes:
    """The file that Pillow makes of `image`, by its name of the format and its options. MemoryError without memory."""
    stream = io.BytesIO()
    try:
        image.save(stream, format_name, **options)
    except (OSError, ValueError, RuntimeError) as error:
        if str(error) in _SHORTAGES or tells_of_shortage(str(error)):
            raise MemoryError(str(error)) from None
        raise
    return stream.getvalue()


@contextlib.contextmanager
def writing_at_once(bytes_max: int) -> Iterator[None]:
    """Let Pillow offer its encoders room for a whole file, however large, up to `bytes_max`.

    libjpeg cannot wait for more in the middle of a progressive picture, and what Pillow itself reckons, a byte or two a
    pixel, is too little for a noisy one.
    """
    from PIL import ImageFile

    before = ImageFile.MAXBLOCK
    ImageFile.MAXBLOCK = max(before, bytes_max)
    try:
        yield
    finally:
        ImageFile.MAXBLOCK = before
