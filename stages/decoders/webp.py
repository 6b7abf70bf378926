"""WebP, still or animated, decoded by libwebp through Pillow."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from stages.decoders.page import Page, check_page, check_size

if TYPE_CHECKING:
    from ipc.pixels import Geometry


def load(source: memoryview, geometry: Geometry, page: int) -> Page:
    """Decode frame `page`, and of an animation all before it. Raises FrameError, and what Pillow does."""
    from PIL.WebPImagePlugin import WebPImageFile

    with WebPImageFile(io.BytesIO(source)) as image:
        check_size(image.size, geometry)
        check_page(page, image.n_frames - 1)
        image.seek(page)
        image.load()
        return Page(image, profile=image.info.get("icc_profile"))
