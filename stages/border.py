"""The border of one colour around what a picture shows, as libvips' `find_trim` sees it and sharp's `trim` uses it.

A pixel belongs to the border if, after a median over 3 x 3 pixels, which takes single specks away, no channel is
farther from the background's than a threshold. A picture with alpha is looked at twice: its colours laid on the
background, and its alpha alone; what either shows is kept.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from stages.alpha import flattened

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from stages.raster import Pixels

_STRIP_BYTES: Final = 1 << 20  # looked at in one go: what is computed of it stays in the cache
_REACH: Final = 1  # of the median, in rows


def bounding_box(pixels: Pixels, background: Sequence[int], threshold: float) -> tuple[int, int, int, int] | None:
    """Left, top, width and height of all that is not border; None where everything is. `background` has a value for
    each channel of `pixels`; a fourth is alpha."""
    import numpy as np

    height, width, _ = pixels.shape
    shown_rows = np.zeros(height, np.bool_)
    shown_columns = np.zeros(width, np.bool_)
    strip_rows = max(1, _STRIP_BYTES // (width * pixels.shape[2]))
    for first in range(0, height, strip_rows):
        last = min(first + strip_rows, height)
        begin, end = max(0, first - _REACH), min(height, last + _REACH)
        for layer, color in _layers(pixels[begin:end], background):
            is_border = _is_border(layer, color, threshold)[first - begin : last - begin]
            shown_rows[first:last] |= is_border.min(axis=1) == 0
            shown_columns |= is_border.min(axis=0) == 0
    rows, columns = np.flatnonzero(shown_rows), np.flatnonzero(shown_columns)
    if not rows.size:
        return None
    left, top = int(columns[0]), int(rows[0])
    return left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top


def _layers(strip: Pixels, background: Sequence[int]) -> list[tuple[Pixels, Sequence[int]]]:
    """What is looked at by itself, and the background's values in it."""
    if strip.shape[2] < 4:
        return [(strip, background)]
    return [(flattened(strip, tuple(background[:3])), background[:3]), (strip[..., 3:].copy(), background[3:])]


def _is_border(layer: Pixels, color: Sequence[int], threshold: float) -> NDArray[np.uint8]:
    """255 where a pixel belongs to the border, 0 where not."""
    import cv2

    lowest = [math.ceil(value - threshold) for value in color]
    highest = [math.floor(value + threshold) for value in color]
    result: Any = cv2.inRange(cv2.medianBlur(layer, 2 * _REACH + 1), _scalar(lowest), _scalar(highest))
    return result  # type: ignore[no-any-return]  # OpenCV's stubs know no element types


def _scalar(values: Sequence[int]) -> tuple[float, ...]:
    """As OpenCV takes them: four, whatever the number of channels."""
    return tuple(float(value) for value in (*values, 0, 0, 0)[:4])
