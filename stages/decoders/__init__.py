"""Decoders: from compressed bytes to pixels in sRGB, one format a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipc.pixels import Geometry, Layout
from stages.decoders import jpeg, jpeg_sampling, pillow, profile
from stages.decoders.samples import GEOMETRY, SAMPLES
from stages.headers.jpeg import read_header

if TYPE_CHECKING:
    from ipc.messages import FormatIn
    from stages.raster import Pixels


def decode(source: memoryview, format_in: FormatIn, geometry: Geometry, target: Pixels, page: int = 0) -> None:
    """Decode a picture of `geometry`, or its frame number `page`, into `target`, which has just that shape.

    FrameError BAD_IMAGE, UNSUPPORTED_FORMAT or BAD_REQUEST (there is no such page) where the data is at fault,
    MemoryError where it takes too much, ValueError where `geometry` is: then nothing was written.
    """
    if format_in == "jpeg":
        jpeg.decode(source, geometry, target)
    else:
        pillow.decode(source, format_in, geometry, target, page)


def decoded(data: bytes | memoryview, format_in: FormatIn, geometry: Geometry, page: int = 0) -> Pixels:
    """Decode into memory of its own: height x width x channels. Raises as `decode` does."""
    import numpy as np

    pixels = np.empty((geometry.height, geometry.width, geometry.layout.channels), np.uint8)
    decode(memoryview(data), format_in, geometry, pixels, page)
    return pixels


def warm() -> None:
    """Import and run once what pictures will need."""
    import numpy as np
    import simplejpeg  # type: ignore[import-untyped]  # it has annotations, but no py.typed

    for format_in, data in SAMPLES.items():
        decoded(data, format_in, GEOMETRY)
    blank = np.zeros((16, 16, 3), np.uint8)
    data = simplejpeg.encode_jpeg(blank)
    decoded(data, "jpeg", Geometry(16, 16, Layout.RGB))
    jpeg_sampling.decode(memoryview(data), read_header(data), blank)
    profile.warm()
