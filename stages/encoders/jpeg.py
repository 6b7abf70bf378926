"""JPEG: baseline by libjpeg-turbo through simplejpeg, progressive by Pillow, which has the same tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipc.pixels import Layout
from stages.colors import color_in
from stages.encoders.pillow import laid_on, picture, saved, writing_at_once
from stages.shortage import tells_of_shortage

if TYPE_CHECKING:
    from stages.encoders.lossy import Encoder
    from stages.encoders.metadata import Metadata
    from stages.encodings import JpegEncoding
    from stages.raster import Pixels

_PILLOWS_SUBSAMPLING: Final = {"Gray": 0, "444": 0, "422": 1, "420": 2}
_BYTES_MAX_A_PIXEL: Final = {"Gray": 2, "444": 6, "422": 4, "420": 3}
_BLOCK_SIDE: Final = 16
_HEADERS_BYTES: Final = 2048


def encoder(pixels: Pixels, layout: Layout, encoding: JpegEncoding, metadata: Metadata) -> Encoder:
    """What makes a file of these pixels at a quality. Alpha is laid on the background, once for all trials."""
    if layout.channels == 4:
        pixels = laid_on(pixels, color_in(layout, encoding.background))
        layout = Layout.RGB if layout is Layout.RGBA else Layout.BGR
    # Of grey there is nothing to leave out: a single component has no other to be measured by.
    sampling = "Gray" if layout is Layout.GRAY else encoding.subsampling
    encode = (_progressive if encoding.progressive else _baseline)(pixels, layout, sampling)
    segments = metadata.segments()
    return lambda quality: _with_segments(encode(quality), segments)


def _with_segments(data: bytes, segments: bytes) -> bytes:
    """`data`, as an encoder made it, with further marker segments behind its JFIF header."""
    if not segments:
        return data
    # Start of image, then APP0: both encoders begin so.
    end = 4 + int.from_bytes(data[4:6], "big")
    return b"".join((data[:end], segments, memoryview(data)[end:]))


def _baseline(pixels: Pixels, layout: Layout, sampling: str) -> Encoder:
    import simplejpeg  # type: ignore[import-untyped]  # it has annotations, but no py.typed

    def encode(quality: int) -> bytes:
        try:
            data: bytes = simplejpeg.encode_jpeg(
                pixels, quality=quality, colorspace=layout.value, colorsubsampling=sampling
            )
        except (ValueError, RuntimeError) as error:
            if tells_of_shortage(str(error)):
                raise MemoryError(str(error)) from None
            raise
        return data

    return encode


def _progressive(pixels: Pixels, layout: Layout, sampling: str) -> Encoder:
    image = picture(pixels, layout)

    def encode(quality: int) -> bytes:
        with writing_at_once(_bytes_max(image.width, image.height, sampling)):
            return saved(image, "JPEG", quality=quality, subsampling=_PILLOWS_SUBSAMPLING[sampling], progressive=True)

    return encode


def _bytes_max(width: int, height: int, sampling: str) -> int:
    """No JPEG of this size is larger, whatever it shows: as libjpeg-turbo reckons (`tj3JPEGBufSize`)."""
    width, height = (-(-side // _BLOCK_SIDE) * _BLOCK_SIDE for side in (width, height))
    return width * height * _BYTES_MAX_A_PIXEL[sampling] + _HEADERS_BYTES
