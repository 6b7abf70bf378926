"""Laying a picture with alpha on a colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.raster import Pixels

_STRIP_ROWS = 64  # keeps the intermediate values in cache


def flattened(pixels: Pixels, background: tuple[int, ...]) -> Pixels:
    """Height x width x 4 onto `background`, which has the first three channels' order: height x width x 3, rounded."""
    import numpy as np

    if pixels[..., 3].min() == 255:
        return np.ascontiguousarray(pixels[..., :3])
    result = np.empty((*pixels.shape[:2], 3), np.uint8)
    behind = np.array(background[:3], np.uint32)
    for first in range(0, pixels.shape[0], _STRIP_ROWS):
        strip = pixels[first : first + _STRIP_ROWS].astype(np.uint32)
        cover = strip[..., 3:]
        result[first : first + _STRIP_ROWS] = (strip[..., :3] * cover + behind * (255 - cover) + 127) // 255
    return result
