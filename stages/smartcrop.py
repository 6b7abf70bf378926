"""Smartcrop: which part of a picture is worth keeping, told from its pixels as libvips' `smartcrop` does.

*Entropy* takes slices off the duller of two opposite edges until the size is right. *Attention* looks at the picture at
32 x 32 for edges, colours of skin and saturated red, and centres the crop on where there is most of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

from ipc.pixels import Layout
from stages.raster import Box
from stages.resample import resample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.raster import Pixels

    Values = NDArray[np.float32]

Interest = Literal["entropy", "attention"]

_SLICES: Final = 8
"""In so many steps the axis is cut of which more is to go."""
_GRID: Final = 32
"""Attention is told where it is in shares of 1/32."""
_SKIN: Final = (0.78, 0.57, 0.44)
"""X, Y, Z of skin, as shares of their length (smartcrop.js)."""
_DARK: Final = 5.0
"""Y, of 100, up to which colour counts for nothing."""
_WHITE: Final = (95.0470, 100.0)
"""X and Y of D65."""
_XYZ: Final = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
"""Of linear sRGB from 0 to 1 (IEC 61966-2-1)."""
_EDGES: Final = ((0, -1, 0), (-1, 4, -1), (0, -1, 0))
_EDGES_WEIGHT: Final = 5.0


def crop_offset(pixels: Pixels, layout: Layout, width: int, height: int, interest: Interest) -> tuple[int, int]:
    """Left and top of the `width` x `height` pixels that are kept."""
    if layout.channels == 4:
        pixels = _as_seen(pixels)
    if interest == "entropy":
        return _most_entropy(pixels, width, height)
    return _most_attention(pixels, layout, width, height)


def _as_seen(pixels: Pixels) -> Pixels:
    """Colours times alpha: what lies under transparency is not looked at."""
    import numpy as np

    result = pixels.copy()
    for channel in range(3):
        result[..., channel] = (pixels[..., channel].astype(np.uint16) * pixels[..., 3]) // 255
    return result


def _most_entropy(pixels: Pixels, width: int, height: int) -> tuple[int, int]:
    """Take slices off in turn across and down."""
    left, top = 0, 0
    right, bottom = pixels.shape[1], pixels.shape[0]
    step = max(math.ceil((right - width) / _SLICES), math.ceil((bottom - height) / _SLICES))
    while right - left > width or bottom - top > height:
        if columns := min(right - left - width, step):
            rows = pixels[top:bottom]
            if _entropy(rows[:, left : left + columns]) < _entropy(rows[:, right - columns : right]):
                left += columns
            else:
                right -= columns
        if lines := min(bottom - top - height, step):
            rest = pixels[:, left:right]
            if _entropy(rest[top : top + lines]) < _entropy(rest[bottom - lines : bottom]):
                top += lines
            else:
                bottom -= lines
    return left, top


def _entropy(pixels: Pixels) -> float:
    """Shannon's, in bits, of the values of all channels together, each channel's values being its own symbols."""
    import cv2
    import numpy as np

    counts = np.concatenate(
        [cv2.calcHist([pixels], [channel], None, [256], [0, 256]).ravel() for channel in range(pixels.shape[2])]
    ).astype(np.float64)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def _most_attention(pixels: Pixels, layout: Layout, width: int, height: int) -> tuple[int, int]:
    """Centre on the place that draws most attention, as near as the edges allow."""
    import numpy as np

    whole_height, whole_width, _ = pixels.shape
    across, down = _GRID / whole_width, _GRID / whole_height
    scores = _attention(_small(pixels, layout))
    sigma = max(1.0, math.hypot(width * across, height * down) / 10)
    row, column = np.unravel_index(int(np.argmax(_blurred(scores, sigma))), scores.shape)
    left, top = int(column / across) - width // 2, int(row / down) - height // 2
    return min(max(left, 0), whole_width - width), min(max(top, 0), whole_height - height)


def _small(pixels: Pixels, layout: Layout) -> Values:
    """The whole picture at 32 x 32, as red, green and blue from 0 to 1.

    First by means of whole pixels, to between twice and three times that, as libvips does: places of much attention are
    often near equal, and which is found must not depend on the way here.
    """
    import cv2
    import numpy as np

    height, width, channels = pixels.shape
    across, down = max(1, width // (2 * _GRID)), max(1, height // (2 * _GRID))
    columns, rows = -(-width // across), -(-height // down)
    padding = (0, rows * down - height, 0, columns * across - width)
    whole = cv2.copyMakeBorder(pixels, *padding, cv2.BORDER_REPLICATE) if any(padding) else pixels
    means = np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    colors = np.ascontiguousarray(means.reshape(rows, columns, channels)[..., :3])
    small = resample(colors, Box(0.0, 0.0, width / across, height / down), _GRID, _GRID, "lanczos3") / np.float32(255)
    if layout in (Layout.BGR, Layout.BGRA):
        small = small[..., ::-1]
    return np.broadcast_to(small, (_GRID, _GRID, 3))


def _attention(colors: Values) -> Values:
    """What draws the eye: edges of brightness, skin, and redness of what is not dark."""
    import cv2
    import numpy as np

    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    xyz = (linear @ np.array(_XYZ, np.float32).T * 100).astype(np.float32)
    luminance = np.ascontiguousarray(xyz[..., 1])
    kernel = np.array(_EDGES, np.float32)
    edges = _EDGES_WEIGHT * np.abs(cv2.filter2D(luminance, -1, kernel, borderType=cv2.BORDER_REPLICATE))
    length = np.linalg.norm(xyz, axis=2, keepdims=True)
    skin = 100 - 100 * np.linalg.norm(xyz / np.maximum(length, 1e-6) - np.array(_SKIN, np.float32), axis=2)
    is_bright = luminance > _DARK
    return (edges + np.where(is_bright, skin, 0) + np.where(is_bright, _redness(xyz), 0)).astype(np.float32)


def _redness(xyz: Values) -> Values:
    """CIE a*."""
    import numpy as np

    share = xyz[..., :2] / np.array(_WHITE, np.float32)
    root = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    result: Values = 500 * (root[..., 0] - root[..., 1])
    return result


def _blurred(scores: Values, sigma: float) -> Values:
    """By a Gaussian in whole twentieths that ends where it is under a fifth of its peak: the one that libvips takes."""
    import cv2
    import numpy as np

    reach = 0
    while math.exp(-((reach + 1) ** 2) / (2 * sigma**2)) >= 0.2:
        reach += 1
    weights = np.array([np.rint(20 * math.exp(-(x**2) / (2 * sigma**2))) for x in range(-reach, reach + 1)])
    weights /= weights.sum()
    return np.asarray(cv2.sepFilter2D(scores, -1, weights, weights, borderType=cv2.BORDER_REPLICATE), np.float32)
