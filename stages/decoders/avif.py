"""AVIF, a picture or a sequence, decoded by libavif as Pillow brings it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stages.decoders.page import Page, check_page, check_size

if TYPE_CHECKING:
    from ipc.pixels import Geometry

_THREADS: Final = 1


def load(source: memoryview, geometry: Geometry, page: int) -> Page:
    """Decode frame `page`. Raises FrameError, and what Pillow does.

    By the decoder below Pillow's plugin, which parses EXIF as well, loads a module for it and fails if it is damaged.
    """
    from PIL import Image, _avif

    decoder = _avif.AvifDecoder(bytes(source), "auto", _THREADS)
    size, frames, mode, profile, *_ = decoder.get_info()
    check_size(size, geometry)
    check_page(page, frames - 1)
    pixels = decoder.get_frame(page)[0]
    image = Image.frombuffer(mode, size, pixels, "raw", mode, 0, 1)
    return Page(image, "GRAY" if mode.startswith("L") else "RGB", profile)
