"""JPEG, decoded by libjpeg-turbo through simplejpeg: straight into the arena, scaled by DCT where the plan says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Geometry, Layout
from stages.decoders import inks, jpeg_sampling, profile
from stages.decoders.jpeg_essence import essence_of
from stages.headers.jpeg import read_header
from stages.headers.jpeg_scans import check_scans
from stages.scaling import DENOMINATORS, scaled
from stages.shortage import tells_of_shortage

if TYPE_CHECKING:
    from stages.headers.jpeg import JpegHeader
    from stages.raster import Pixels

_LAYOUTS: Final = frozenset({Layout.GRAY, Layout.RGB})
_INKS: Final = 4
"""Components of a picture for print."""
_ABOUT_METADATA: Final = ("ICC", "JFIF")
"""Words of libjpeg's warnings of what is no part of the pixels."""


def decode(source: memoryview, geometry: Geometry, target: Pixels) -> None:
    """Full size or scaled by 1/2, 1/4 or 1/8: whichever `geometry` is.

    The header is walked again although the broker has done so: libjpeg-turbo must not see a lossless JPEG, and a
    call with a buffer too small leaks memory in simplejpeg, so the sizes are compared before it.
    """
    header = read_header(source)
    whole = Geometry(header.width, header.height, geometry.layout)
    if geometry.layout not in _LAYOUTS or geometry not in {scaled(whole, one) for one in DENOMINATORS}:
        raise ValueError(f"a JPEG of {header.width} x {header.height} pixels cannot be decoded into {geometry}")
    check_scans(source, header)
    colors = b"".join(part.of(source) for part in header.icc)
    if header.components == _INKS:
        _decode_inks(source, header, colors, target)
        return
    _decode_into(source, header, geometry.layout.value, target)
    if colors:
        profile.convert(target, colors, "GRAY" if header.components == 1 else "RGB")


def _decode_inks(source: memoryview, header: JpegHeader, colors: bytes, target: Pixels) -> None:
    import numpy as np

    height, width, _ = target.shape
    four = np.empty((height, width, _INKS), np.uint8)
    _decode_into(source, header, "CMYK", four)
    # Light, not ink: all who write four components store them inverted, with Adobe's segment or without.
    np.invert(four, out=four)
    inks.to_colors(four, colors, target)


def _decode_into(source: memoryview, header: JpegHeader, colorspace: str, target: Pixels) -> None:
    said = _attempt(source, colorspace, target)
    if any(word in said for word in _ABOUT_METADATA):
        said = _attempt(essence_of(source, header), colorspace, target)
    if not said:
        return
    if tells_of_shortage(said):
        raise MemoryError(said)
    if "subsampling" not in said:
        raise FrameError(ErrorCode.BAD_IMAGE, _public(said))
    # TurboJPEG has no name for it, or the header is damaged.
    jpeg_sampling.decode(source, header, target)


def _attempt(source: memoryview | bytes, colorspace: str, target: Pixels) -> str:
    """Decode, or return why not."""
    height, width, _ = target.shape
    try:
        pixels = _simplejpeg().decode_jpeg(
            source, colorspace=colorspace, min_width=width, min_height=height, buffer=target, strict=True
        )
    except (ValueError, RuntimeError) as error:
        return str(error)
    if pixels.shape != target.shape:
        raise ValueError(f"the decoder made {pixels.shape} of a plan for {target.shape}")
    return ""


def _simplejpeg() -> Any:
    import simplejpeg  # type: ignore[import-untyped]  # it has annotations, but no py.typed

    return simplejpeg


def _public(text: str) -> str:
    """simplejpeg's message in words that say what is wrong with the picture."""
    if "Premature end" in text or "premature end" in text:
        return "JPEG is truncated"
    if text.startswith(("Corrupt JPEG data", "Bogus", "Invalid", "Unsupported", "Inconsistent")):
        return f"JPEG is corrupt: {text.removeprefix('Corrupt JPEG data: ')[:120]}"
    return "JPEG is corrupt"
