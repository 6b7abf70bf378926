"""The probe as a target: what must hold of what it tells, whatever it is given."""

import time
from typing import Final

from ipc.pixels import Layout
from stages.headers import exif
from stages.headers.exif_block import exif_block
from stages.limits import Limits
from tests.fuzz.finding import hold, page_of, probed

LIMITS: Final = Limits(max_side=16_383, max_pixels=50_000_000)
SECONDS_MAX: Final = 0.05
"""Of the processor, for a file of a few kilobytes; it is some 0.1 ms."""

_LAYOUTS: Final = frozenset({Layout.GRAY, Layout.RGB, Layout.RGBA})


def target(data: bytes) -> None:
    """It says the same of bytes and of a view of them, in time, and nothing but `FrameError` leaves it."""
    page = page_of(data)
    began = time.thread_time()
    picture = probed(data, LIMITS, page)
    took_s = time.thread_time() - began
    hold(took_s < SECONDS_MAX, f"the probe took {took_s:.3f} s")
    hold(probed(memoryview(data), LIMITS, page) == picture, "bytes and a view of them differ")
    if picture is None:
        return
    geometry = picture.geometry
    hold(geometry.width >= 1 and geometry.height >= 1, f"sides of {geometry}")
    hold(max(geometry.width, geometry.height) <= LIMITS.max_side, f"sides of {geometry}")
    hold(geometry.pixels * (page + 1) <= LIMITS.max_pixels, f"pixels of {geometry}, page {page}")
    hold(geometry.layout in _LAYOUTS, f"layout {geometry.layout}")
    hold(picture.orientation in range(1, 9), f"orientation {picture.orientation}")
    if picture.format != "raw":
        block = exif_block(data, picture.format)
        rights = exif.Rights() if block is None else exif.texts(block)
        hold(max(len(rights.artist), len(rights.copyright)) <= exif.TEXT_BYTES_MAX, "a text without bound")
