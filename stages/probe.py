"""What an encoded picture is, told from its header alone: bounded, pure Python, before any decoder sees a byte."""

from typing import Final, get_args

from ipc.errors import ErrorCode, FrameError
from ipc.messages import FormatIn
from ipc.pixels import Geometry, Layout
from stages.headers import avif, gif, jpeg, png, webp
from stages.limits import Limits
from stages.picture import Picture

FORMATS: Final[tuple[FormatIn, ...]] = get_args(FormatIn)
"""Formats that `probe` accepts."""

_REFUSED_MAGIC: Final = (
    (b"ftyp", 4, "HEIC, or another file of its kind that is no AVIF,"),
    (b"II*\0", 0, "TIFF"),
    (b"MM\0*", 0, "TIFF"),
    (b"BM", 0, "BMP"),
    (b"\xff\x0a", 0, "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", 0, "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", 0, "JPEG 2000"),
    (b"%PDF", 0, "PDF"),
)
_MAGIC_BYTES: Final = 16
"""All magic but that of AVIF, a list of brands, lies within the first bytes."""
_READERS: Final = {"png": png.read_header, "webp": webp.read_header, "avif": avif.read_header, "gif": gif.read_header}
_STILL: Final = frozenset({"jpeg", "png"})


def probe(data: bytes | memoryview, limits: Limits, page: int = 0) -> Picture:
    """Describe frame `page` of `data`, or raise FrameError UNSUPPORTED_FORMAT, TOO_LARGE, BAD_IMAGE or BAD_REQUEST.

    Whether a WebP, AVIF or GIF has so many frames is only seen when they are decoded.
    """
    format_in = _format_of(data)
    if format_in in _STILL and page > 0:
        raise FrameError(ErrorCode.BAD_REQUEST, f"input.page: {page}, but a {format_in.upper()} has only page 0")
    if format_in == "jpeg":
        picture = _probe_jpeg(data)
    else:
        header = _READERS[format_in](data)
        layout = Layout.RGBA if format_in == "gif" and page > 0 else header.layout
        picture = Picture(format_in, Geometry(header.width, header.height, layout), header.orientation)
    _check(picture.geometry, limits, page)
    return picture


def _format_of(data: bytes | memoryview) -> FormatIn:
    magic = bytes(data[:_MAGIC_BYTES])
    if magic.startswith(jpeg.MAGIC):
        return "jpeg"
    if magic.startswith(png.MAGIC):
        return "png"
    if magic.startswith(webp.MAGIC) and magic.startswith(webp.KIND, webp.KIND_AT):
        return "webp"
    if magic.startswith(gif.MAGICS):
        return "gif"
    if magic.startswith(avif.MAGIC, avif.MAGIC_AT) and avif.has_brand(data):
        return "avif"
    raise FrameError(ErrorCode.UNSUPPORTED_FORMAT, f"{_describe(magic)}; accepted: {', '.join(FORMATS)}")


def _probe_jpeg(data: bytes | memoryview) -> Picture:
    header = jpeg.read_header(data)
    layout = Layout.GRAY if header.components == 1 else Layout.RGB
    return Picture("jpeg", Geometry(header.width, header.height, layout), header.orientation, header.progressive)


def _check(geometry: Geometry, limits: Limits, page: int) -> None:
    """To show a later frame, all before it must be decoded."""
    limits.check(geometry.width, geometry.height)
    if geometry.pixels * (page + 1) > limits.max_pixels:
        raise FrameError(
            ErrorCode.TOO_LARGE,
            f"input.page: {page + 1} frames of {geometry.width} x {geometry.height} pixels are over max_pixels "
            f"{limits.max_pixels}",
        )


def _describe(magic: bytes) -> str:
    if not magic:
        return "the picture is empty"
    for mark, at, name in _REFUSED_MAGIC:
        if magic.startswith(mark, at):
            return f"{name} is not accepted"
    return "the first bytes are those of no known picture format"
