"""WebP, written by libwebp through Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipc.pixels import Layout
from stages.encoders.pillow import picture, saved

if TYPE_CHECKING:
    from stages.encoders.lossy import Encoder
    from stages.encoders.metadata import Metadata
    from stages.encodings import WebpEncoding
    from stages.raster import Pixels

_METHOD_MAX: Final = 6
_METHOD_REPEATING: Final = 2
"""The fastest method that begins again, with fewer modes, where they were too many."""
_MODES_OVERFLOW: Final = "encoding error 6"
"""A lossy WebP has 512 KiB for how each block is predicted; fast methods fill them with 30 million detailed pixels."""


def layout_written(layout: Layout) -> Layout:
    """What pixels of `layout` become: WebP has no grey."""
    return Layout.RGB if layout is Layout.GRAY else layout


def encoder(pixels: Pixels, layout: Layout, encoding: WebpEncoding, metadata: Metadata) -> Encoder:
    """What makes a lossy file of these pixels at a quality; alpha in it is without loss."""
    image = picture(pixels, layout)

    def encode(quality: int) -> bytes:
        try:
            return saved(image, "WEBP", quality=quality, method=_method(encoding), **metadata.options())
        except ValueError as error:
            if str(error) != _MODES_OVERFLOW:
                raise
        return saved(image, "WEBP", quality=quality, method=_METHOD_REPEATING, **metadata.options())

    return encode


def encode_lossless(pixels: Pixels, layout: Layout, encoding: WebpEncoding, metadata: Metadata) -> bytes:
    """Every pixel stays what it is, and so do colours that full transparency hides."""
    return saved(
        picture(pixels, layout),
        "WEBP",
        lossless=True,
        exact=True,
        # Without loss libwebp takes this number for effort.
        quality=10 * encoding.effort,
        method=_method(encoding),
        **metadata.options(),
    )


def _method(encoding: WebpEncoding) -> int:
    return round(_METHOD_MAX * encoding.effort / 10)
