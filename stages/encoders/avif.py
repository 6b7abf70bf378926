"""AVIF, written by libavif and libaom through Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stages.encoders.pillow import picture, saved
from stages.shortage import check_room

if TYPE_CHECKING:
    from ipc.pixels import Layout
    from stages.encoders.lossy import Encoder
    from stages.encoders.metadata import Metadata
    from stages.encodings import AvifEncoding
    from stages.raster import Pixels

_ROOM_BYTES: Final = 16 << 20
_ROOM_BYTES_A_PIXEL: Final = 36
_BORDER: Final = 128
"""Upper bounds of what libaom was seen to take: so much for each pixel, and for those around the picture."""


def encoder(pixels: Pixels, layout: Layout, encoding: AvifEncoding, metadata: Metadata) -> Encoder:
    """What makes a file of these pixels at a quality. An orientation in the EXIF block becomes irot and imir."""
    image = picture(pixels, layout)

    def encode(quality: int) -> bytes:
        # Refused memory in the middle, the libraries end the process.
        check_room(_ROOM_BYTES + _ROOM_BYTES_A_PIXEL * (image.width + _BORDER) * (image.height + _BORDER))
        return saved(
            image,
            "AVIF",
            quality=quality,
            speed=10 - encoding.effort,
            max_threads=1,  # a worker starts none
            **metadata.options(),
        )

    return encode
