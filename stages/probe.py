"""What an encoded picture is, told from its header alone: bounded, pure Python, before any decoder sees a byte."""

import msgspec

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Geometry, Layout
from stages.headers import jpeg
from stages.limits import Limits

FORMATS = ("jpeg",)
"""Formats that `probe` accepts."""

_KNOWN_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", 0, "PNG"),
    (b"WEBP", 8, "WebP"),
    (b"GIF8", 0, "GIF"),
    (b"ftypavif", 4, "AVIF"),
    (b"ftypavis", 4, "AVIF"),
    (b"ftyphei", 4, "HEIC"),
    (b"II*\0", 0, "TIFF"),
    (b"MM\0*", 0, "TIFF"),
    (b"BM", 0, "BMP"),
)


_MAGIC_BYTES = 16
"""All magic lies within the first bytes."""


class Picture(msgspec.Struct, frozen=True):
    """An encoded picture as its header describes it."""

    format: str
    geometry: Geometry
    """As the file has it, before any turning; RGB or GRAY, whatever colours it is stored in."""
    orientation: int
    """EXIF orientation, 1 to 8; 1 is upright."""
    progressive: bool


def probe(data: bytes | memoryview, limits: Limits) -> Picture:
    """Describe `data`, or raise FrameError UNSUPPORTED_FORMAT, TOO_LARGE or BAD_IMAGE."""
    magic = bytes(data[:_MAGIC_BYTES])
    if magic.startswith(jpeg.MAGIC):
        return _probe_jpeg(data, limits)
    raise FrameError(ErrorCode.UNSUPPORTED_FORMAT, f"{_describe(magic)}; accepted: {', '.join(FORMATS)}")


def _probe_jpeg(data: bytes | memoryview, limits: Limits) -> Picture:
    header = jpeg.read_header(data)
    limits.check(header.width, header.height)
    layout = Layout.GRAY if header.components == 1 else Layout.RGB
    return Picture("jpeg", Geometry(header.width, header.height, layout), header.orientation, header.progressive)


def _describe(data: bytes) -> str:
    if not data:
        return "the picture is empty"
    for magic, at, name in _KNOWN_MAGIC:
        if data.startswith(magic, at):
            return f"{name} is not accepted"
    return "the first bytes are those of no known picture format"
