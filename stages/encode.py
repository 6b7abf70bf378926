"""Encode: pixels in the arena become the bytes of a finished picture."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import msgspec

from ipc.messages import Encode, Encoded, Extent
from ipc.pixels import Geometry, Layout
from stages.alpha import flattened
from stages.colors import color_in
from stages.outputs import Encoding, JpegEncoding, RawEncoding, decode_encoding, encode_encoding
from stages.raster import pixels_at
from stages.shortage import tells_of_shortage

if TYPE_CHECKING:
    from stages.raster import Pixels

_ENCODINGS_CACHED: Final = 64


class Finished(msgspec.Struct, frozen=True):
    """An encoded picture, and what the report says about it."""

    encoded: Encoded
    data: bytes


def encode(step: Encode, arena: memoryview) -> Finished:
    """Encode `step.source` as `step.options` say. ValueError where the step is at fault."""
    pixels = pixels_at(arena, step.source, step.geometry)
    encoding = _encoding(step.options)
    about = step.output, encoding.format, step.geometry.width, step.geometry.height
    match encoding:
        case JpegEncoding():
            data = _encode_jpeg(pixels, step.geometry.layout, encoding)
            return Finished(Encoded(*about, encoding.quality), data)
        case RawEncoding():
            data, layout = _encode_raw(pixels, step.geometry.layout)
            return Finished(Encoded(*about, None, layout.value), data)
        case _:
            raise ValueError(f"no encoder for {encoding.format}")


def warm() -> None:
    """Import and run once what frames will need, so that the first one does not wait for it."""
    blank = Geometry(16, 16, Layout.RGB)
    step = Encode(Extent(0, blank.bytes), blank, 0, encode_encoding(JpegEncoding()))
    encode(step, memoryview(bytearray(blank.bytes)))


@functools.lru_cache(maxsize=_ENCODINGS_CACHED)
def _encoding(options: bytes) -> Encoding:
    return decode_encoding(options)


def _encode_jpeg(pixels: Pixels, layout: Layout, encoding: JpegEncoding) -> bytes:
    import simplejpeg  # type: ignore[import-untyped]  # it has annotations, but no py.typed

    if layout.channels == 4:
        pixels = flattened(pixels, color_in(layout, encoding.background))
        layout = Layout.RGB if layout is Layout.RGBA else Layout.BGR
    try:
        data: bytes = simplejpeg.encode_jpeg(
            pixels,
            quality=encoding.quality,
            colorspace=layout.value,
            colorsubsampling="Gray" if layout is Layout.GRAY else encoding.subsampling,
        )
    except ValueError as error:
        if tells_of_shortage(str(error)):
            raise MemoryError(str(error)) from None
        raise
    return data


def _encode_raw(pixels: Pixels, layout: Layout) -> tuple[bytes, Layout]:
    """Channels in the order that replies have: blue and red change places where they lie the other way round."""
    if layout is Layout.BGR:
        return pixels[..., ::-1].tobytes(), Layout.RGB
    if layout is Layout.BGRA:
        return pixels[..., [2, 1, 0, 3]].tobytes(), Layout.RGBA
    return pixels.tobytes(), layout
