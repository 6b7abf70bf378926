"""Inks: pixels of cyan, magenta, yellow and black become colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.decoders.profile import conversion_from
from stages.strips import strips

if TYPE_CHECKING:
    from stages.raster import Pixels


def to_colors(inks: Pixels, profile: bytes, target: Pixels) -> None:
    """Write RGB into `target`, by an ICC profile if there is one of use, else as if inks were perfect."""
    conversion = conversion_from(profile, "CMYK", 4) if profile else None
    if conversion is None:
        _plain(inks, target)
    else:
        conversion(inks, target)


def _plain(inks: Pixels, target: Pixels) -> None:
    """Let each ink take its share of the light, and black of all: 255 * (1 - c) * (1 - k), to the nearest."""
    import numpy as np

    for rows in strips(inks):
        light = np.invert(inks[rows]).astype(np.uint16)
        product = light[..., :3] * light[..., 3:] + np.uint16(128)
        # Divided by 255, exactly, for all products of two bytes, and within 16 bits.
        target[rows] = (product + (product >> 8)) >> 8
