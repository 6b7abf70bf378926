"""Encode: pixels in the arena become the bytes of a finished picture."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import msgspec

from ipc.messages import Encode, Encoded, Extent, Original
from ipc.pixels import Geometry, Layout
from stages.encoders import avif, jpeg, lossy, png, raw, webp
from stages.encoders.lossy import Made
from stages.encoders.metadata import STRIPPED, kept
from stages.encodings import (
    AvifEncoding,
    Encoding,
    JpegEncoding,
    PngEncoding,
    RawEncoding,
    WebpEncoding,
    decode_encoding,
    encode_encoding,
)
from stages.raster import pixels_at

if TYPE_CHECKING:
    from stages.encoders.metadata import Metadata
    from stages.raster import Ground, Pixels

_ENCODINGS_CACHED: Final = 64
_REHEARSED: Final = (
    JpegEncoding(metadata="keep"),
    JpegEncoding(progressive=True),
    PngEncoding(metadata="keep"),
    WebpEncoding(metadata="keep"),
    WebpEncoding(lossless=True),
    AvifEncoding(metadata="keep"),
    RawEncoding(),
)
"""Everything that loads something when it is first used."""


class Finished(msgspec.Struct, frozen=True):
    """An encoded picture, and what the report says about it."""

    encoded: Encoded
    data: bytes


def encode(step: Encode, ground: memoryview | Ground) -> Finished:
    """Encode `step.source` as `step.options` say.

    FrameError TOO_LARGE where no quality keeps `max_bytes` or the format is for smaller pictures, ValueError where the
    step is at fault.
    """
    pixels = pixels_at(ground, step.source, step.geometry)
    encoding = _encoding(step.options)
    encoding.check(step.geometry)
    made = _made(pixels, step.geometry.layout, encoding, _metadata(encoding, step, ground))
    told = raw.layout_told(step.geometry.layout).value if isinstance(encoding, RawEncoding) else None
    about = step.output, encoding.format, step.geometry.width, step.geometry.height
    return Finished(Encoded(*about, made.quality, told), made.data)


def _made(pixels: Pixels, layout: Layout, encoding: Encoding, metadata: Metadata) -> Made:
    match encoding:
        case JpegEncoding():
            return lossy.made(jpeg.encoder(pixels, layout, encoding, metadata), encoding.quality, encoding.max_bytes)
        case PngEncoding():
            return Made(png.encode(pixels, layout, encoding, metadata))
        case WebpEncoding(lossless=True):
            return Made(webp.encode_lossless(pixels, layout, encoding, metadata))
        case WebpEncoding():
            return lossy.made(webp.encoder(pixels, layout, encoding, metadata), encoding.quality, encoding.max_bytes)
        case AvifEncoding():
            return lossy.made(avif.encoder(pixels, layout, encoding, metadata), encoding.quality, encoding.max_bytes)
        case RawEncoding():
            return Made(raw.encode(pixels, layout))
        case _:
            raise ValueError(f"no encoder for {encoding.format}")


def _metadata(encoding: Encoding, step: Encode, ground: memoryview | Ground) -> Metadata:
    match encoding:
        case WebpEncoding(metadata="keep"):
            return kept(step.original, ground, webp.layout_written(step.geometry.layout))
        case JpegEncoding(metadata="keep") | PngEncoding(metadata="keep") | AvifEncoding(metadata="keep"):
            return kept(step.original, ground, step.geometry.layout)
        case _:
            return STRIPPED


def warm() -> None:
    """Import and run once what frames will need: later nothing can be loaded any more."""
    # Asked for a format that it does not know yet, Pillow would load the plugins of all that there are.
    from PIL import AvifImagePlugin, WebPImagePlugin  # noqa: F401 - they tell Pillow what they can write

    for layout in (Layout.GRAY, Layout.RGBA):
        blank = Geometry(16, 16, layout)
        pixels = Extent(0, blank.bytes)
        arena = memoryview(bytearray(blank.bytes))
        file = encode(Encode(pixels, blank, 0, encode_encoding(JpegEncoding())), arena).data
        arena = memoryview(bytes(arena) + file)
        original = Original(Extent(blank.bytes, len(file)), "jpeg", 6)
        for kind in _REHEARSED:
            encode(Encode(pixels, blank, 0, encode_encoding(kind), original), arena)


@functools.lru_cache(maxsize=_ENCODINGS_CACHED)
def _encoding(options: bytes) -> Encoding:
    return decode_encoding(options)
