"""Decode: compressed bytes in the arena become pixels in the arena."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ipc.errors import ErrorCode, FrameError
from ipc.messages import Decode, Extent
from ipc.pixels import Geometry, Layout
from stages.chain import DENOMINATORS, scaled
from stages.headers.jpeg import read_header
from stages.headers.jpeg_scans import check_scans
from stages.raster import bytes_at, pixels_at
from stages.shortage import tells_of_shortage

if TYPE_CHECKING:
    from stages.raster import Pixels

_LAYOUTS: Final = frozenset({Layout.GRAY, Layout.RGB})


def decode(step: Decode, arena: memoryview) -> None:
    """Decode into exactly `step.target`.

    FrameError BAD_IMAGE or UNSUPPORTED_FORMAT where the data is at fault, ValueError where the step is: then nothing
    was written. After BAD_IMAGE the target may hold part of a picture.
    """
    source = bytes_at(arena, step.source)
    target = pixels_at(arena, step.target, step.geometry)
    match step.format:
        case "jpeg":
            _decode_jpeg(source, step.geometry, target)


def warm() -> None:
    """Import and run once what frames will need, so that the first one does not wait for it."""
    import numpy as np

    blank = Geometry(16, 16, Layout.RGB)
    data: bytes = _simplejpeg().encode_jpeg(np.zeros((blank.height, blank.width, 3), np.uint8))
    arena = memoryview(bytearray(len(data) + blank.bytes))
    arena[: len(data)] = data
    decode(Decode(Extent(0, len(data)), Extent(len(data), blank.bytes), "jpeg", blank), arena)


def _decode_jpeg(source: memoryview, geometry: Geometry, target: Pixels) -> None:
    """Full size or scaled by 1/2, 1/4 or 1/8: whichever `geometry` is.

    The header is walked again although the broker has done so: libjpeg-turbo must not see a lossless JPEG, and a
    call with a buffer too small leaks memory in simplejpeg, so the sizes are compared before it.
    """
    header = read_header(source)
    whole = Geometry(header.width, header.height, geometry.layout)
    if geometry.layout not in _LAYOUTS or geometry not in {scaled(whole, one) for one in DENOMINATORS}:
        raise ValueError(f"a JPEG of {header.width} x {header.height} pixels cannot be decoded into {geometry}")
    check_scans(source, header)
    try:
        pixels = _simplejpeg().decode_jpeg(
            source,
            colorspace=geometry.layout.value,
            min_width=geometry.width,
            min_height=geometry.height,
            buffer=target,
            strict=True,
        )
    except ValueError as error:
        if tells_of_shortage(str(error)):
            raise MemoryError(str(error)) from None
        raise FrameError(ErrorCode.BAD_IMAGE, _public(str(error))) from None
    if pixels.shape != target.shape:
        raise ValueError(f"the decoder made {pixels.shape} of a plan for {geometry}")


def _simplejpeg() -> Any:
    import simplejpeg  # type: ignore[import-untyped]  # it has annotations, but no py.typed

    return simplejpeg


def _public(text: str) -> str:
    """simplejpeg's message in words that say what is wrong with the picture."""
    if "Premature end" in text or "premature end" in text:
        return "JPEG is truncated"
    if "subsampling" in text:  # whatever it stumbles over in a header, it says this
        return "JPEG has a damaged header, or a chroma sampling that is not supported"
    if text.startswith(("Corrupt JPEG data", "Bogus", "Invalid", "Unsupported", "Inconsistent")):
        return f"JPEG is corrupt: {text.removeprefix('Corrupt JPEG data: ')[:120]}"
    return "JPEG is corrupt"
