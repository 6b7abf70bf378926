"""JPEG of a chroma sampling that TurboJPEG has no name for, as 4:1:0: decoded by libjpeg-turbo through Pillow."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from stages.decoders.complaints import heard
from stages.decoders.jpeg_essence import essence_of
from stages.strips import strips

if TYPE_CHECKING:
    from stages.headers.jpeg import JpegHeader
    from stages.raster import Pixels

_MODES: Final = {1: "L", 3: "RGB", 4: "CMYK"}
"""By channels."""
_ROOM_BYTES: Final = 16
"""For a pixel: all coefficients of a progressive picture, and Pillow's pixels."""


def decode(source: memoryview, header: JpegHeader, target: Pixels) -> None:
    """Decode into `target`, scaled as its shape says. Inks as they are stored. FrameError BAD_IMAGE."""
    import numpy as np
    from PIL.JpegImagePlugin import JpegImageFile

    height, width, channels = target.shape
    denominator = min(8, -(-header.width // width))
    with (
        heard("JPEG", header.width * header.height * _ROOM_BYTES),
        JpegImageFile(io.BytesIO(essence_of(source, header))) as image,
    ):
        mode = _MODES[channels]
        image.draft(mode, (max(1, header.width // denominator), max(1, header.height // denominator)))
        if image.size != (width, height):
            raise ValueError(f"a picture of {image.size} cannot be decoded into {target.shape}")
        image.tile = [tile._replace(args=(image.mode, "")) for tile in image.tile]
        image.load()
        for rows in strips(target):
            strip = image.crop((0, rows.start, width, rows.stop))
            target[rows] = np.asarray(strip.convert(mode)).reshape(target[rows].shape)
