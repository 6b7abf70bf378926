"""PNG, written by Pillow with zlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.encoders.pillow import picture, saved

if TYPE_CHECKING:
    from ipc.pixels import Layout
    from stages.encoders.metadata import Metadata
    from stages.encodings import PngEncoding
    from stages.raster import Pixels


def encode(pixels: Pixels, layout: Layout, encoding: PngEncoding, metadata: Metadata) -> bytes:
    """Grey, RGB or RGBA, as the pixels are; every one of them stays what it is."""
    return saved(picture(pixels, layout), "PNG", compress_level=encoding.compression, **metadata.options())
