"""PNG, WebP, AVIF and GIF: decoded by Pillow, each by the one reader of its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stages.decoders import avif, gif, png, profile, webp
from stages.decoders.complaints import heard

if TYPE_CHECKING:
    from ipc.messages import FormatIn
    from ipc.pixels import Geometry
    from stages.decoders.page import Page
    from stages.raster import Pixels

_NAMES: Final[dict[FormatIn, str]] = {"png": "PNG", "webp": "WebP", "avif": "AVIF", "gif": "GIF"}
_ROOM_BYTES: Final[dict[FormatIn, int]] = {"webp": 17, "avif": 16}
"""For a pixel: what libraries take that do not say that memory was refused."""
_ROOM_BYTES_MIN: Final = 1 << 20


def decode(source: memoryview, format_in: FormatIn, geometry: Geometry, target: Pixels, page: int) -> None:
    """Decode frame number `page` into `target`. FrameError BAD_IMAGE, or BAD_REQUEST where there is no such page."""
    with heard(_NAMES[format_in], _ROOM_BYTES_MIN + geometry.pixels * _ROOM_BYTES.get(format_in, 0)):
        shown = _load(source, format_in, geometry, page)
        shown.copy(geometry.layout, target)
    if shown.profile:
        profile.convert(target, shown.profile, shown.kind)


def _load(source: memoryview, format_in: FormatIn, geometry: Geometry, page: int) -> Page:
    from PIL import Image

    # The plan has bounds of its own, which are the operator's.
    Image.MAX_IMAGE_PIXELS = None
    match format_in:
        case "png":
            return png.load(source, geometry)
        case "webp":
            return webp.load(source, geometry, page)
        case "avif":
            return avif.load(source, geometry, page)
        case "gif":
            return gif.load(source, geometry, page)
        case _:
            raise AssertionError(f"{format_in} is not decoded by Pillow")
