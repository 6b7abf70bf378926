"""CIE L*a*b* of sRGB under D65: changes of lightness and colour that look even.

L*, a* and b* are straight combinations of the roots of X, Y and Z. So a picture goes to roots and back, by two products
of matrices in 32-bit floats and two tables of 16 bits, without a power being computed: within one step of 8 bits of the
exact formulas. What depends on one number only is computed exactly, once, as a table.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from stages.alpha import joined
from stages.layouts import is_reversed
from stages.strips import strips

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from ipc.pixels import Layout
    from stages.raster import Pixels

    Values = NDArray[np.float64]

LUMINANCES: Final = 1 << 14
"""So many even steps of linear luminance are told apart. The darkest are 0.06 of L* wide, all others less."""

_STEPS: Final = (1 << 16) - 2
"""Of linear light, as many as 16 bits hold, and one for rounding: a twentieth of the least that two bytes differ."""

_LUMINANCE_OF_RGB: Final = (0.2126, 0.7152, 0.0722)
_RGB_OF_XYZ: Final = (
    (3.240625, -1.537208, -0.498629),
    (-0.968931, 1.875756, 0.041518),
    (0.055710, -0.204021, 1.056996),
)
"""IEC 61966-2-1, inverted."""
_WHITE: Final = (0.950470, 1.0, 1.088827)
"""X, Y, Z of D65."""
_EPSILON: Final = 216 / 24389
_KAPPA: Final = 24389 / 27
"""CIE 15: below `_EPSILON`, lightness is `_KAPPA` times luminance."""


def linear_light(values: Values) -> Values:
    """Of sRGB values, 0 to 1 (IEC 61966-2-1)."""
    import numpy as np

    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb(light: Values) -> Values:
    """The reverse; what is not from 0 to 1 is cut off."""
    import numpy as np

    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def lightness(luminance: Values) -> Values:
    """L*, 0 to 100, of linear luminance, 0 to 1."""
    import numpy as np

    return np.where(luminance <= _EPSILON, luminance * _KAPPA, 116 * np.cbrt(luminance) - 16)


def rgb_of_lab(lab: Values) -> Pixels:
    """The nearest sRGB colours of L*a*b* ones, along the last axis; what sRGB does not have is cut off."""
    import numpy as np

    middle = (lab[..., 0] + 16) / 116
    roots = np.stack([middle + lab[..., 1] / 500, middle, middle - lab[..., 2] / 200], axis=-1)
    xyz = np.where(roots > _EPSILON ** (1 / 3), roots**3, (116 * roots - 16) / _KAPPA)
    return _bytes_of(srgb(xyz * np.array(_WHITE) @ np.array(_RGB_OF_XYZ).T))


def lab_of_rgb(color: tuple[int, ...]) -> tuple[float, float, float]:
    """L*, a*, b* of an sRGB colour, 0 to 255."""
    import numpy as np

    light = linear_light(np.array(color[:3]) / 255)
    xyz = np.linalg.solve(np.array(_RGB_OF_XYZ), light) / np.array(_WHITE)
    x, y, z = (float(value) for value in (lightness(xyz) + 16) / 116)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def grey_table(factor: float, addend: float) -> bytes:
    """What becomes of each grey value where L* becomes `factor` * L* + `addend`."""
    import numpy as np

    own = lightness(linear_light(np.arange(256) / 255))
    return rgb_of_lab(np.stack([own * factor + addend, np.zeros(256), np.zeros(256)], axis=-1))[:, 1].tobytes()


def mapped(pixels: Pixels, layout: Layout, matrix: Values, target: Pixels) -> Pixels:
    """`target`, of the same shape as `pixels` in a `layout` of colours, with their L*a*b* mapped by a 3 x 4 `matrix`:
    its last column is added. Alpha is left alone."""
    import cv2
    import numpy as np

    there, between, back = _matrices(layout, matrix)
    knee = np.float32(_EPSILON ** (1 / 3))
    slope = np.float32(3 * _EPSILON ** (2 / 3))
    for rows in strips(pixels):
        strip = pixels[rows]
        colors = cv2.cvtColor(strip, cv2.COLOR_RGBA2RGB) if strip.shape[2] == 4 else strip
        light = cv2.transform(cv2.LUT(colors, _light_of_bytes()), there)
        roots = np.asarray(cv2.transform(_roots().take(light.astype(np.uint16), mode="clip"), between), np.float32)
        # A cube above the knee, and its tangent below.
        upper = np.maximum(roots, knee)
        roots -= upper
        roots *= slope
        roots += upper * upper * upper
        light = np.clip(cv2.transform(roots, back), 0, _STEPS, dtype=np.float32)
        if strip.shape[2] == 4:
            joined(_bytes_of_light().take(light.astype(np.uint16), mode="clip"), strip, target[rows])
        else:
            _bytes_of_light().take(light.astype(np.uint16), out=target[rows], mode="clip")
    return target


def luminance_strips(pixels: Pixels, layout: Layout) -> Iterator[tuple[slice, NDArray[np.uint16]]]:
    """Linear luminance of `pixels` in a `layout` of colours, 0 to `LUMINANCES` - 1: rows, and theirs."""
    import cv2
    import numpy as np

    weights = np.zeros((1, layout.channels + 1))
    weights[0, :3] = _LUMINANCE_OF_RGB[::-1] if is_reversed(layout) else _LUMINANCE_OF_RGB
    weights *= (LUMINANCES - 1) / _STEPS
    weights[0, -1] = 0.5  # what follows rounds down
    for rows in strips(pixels):
        yield rows, cv2.transform(cv2.LUT(pixels[rows], _light_of_bytes()), weights).astype(np.uint16)


def _matrices(layout: Layout, matrix: Values) -> tuple[Values, Values, Values]:
    """From linear light to X, Y, Z; from the roots of these to the roots of the result; and back. 3 x 4 each."""
    import numpy as np

    rgb_of_xyz = np.array(_RGB_OF_XYZ) * np.array(_WHITE)
    rgb_of_xyz /= rgb_of_xyz.sum(axis=1, keepdims=True)  # exactly: what has no colour gets none
    if is_reversed(layout):
        rgb_of_xyz = rgb_of_xyz[::-1]
    rounding = np.full((3, 1), 0.5)  # what follows rounds down
    lab_of_roots = np.array([[0, 116, 0, -16], [500, -500, 0, 0], [0, 200, -200, 0], [0, 0, 0, 1]])
    between = np.linalg.inv(lab_of_roots) @ np.vstack([matrix, [0, 0, 0, 1]]) @ lab_of_roots
    return (
        np.hstack([np.linalg.inv(rgb_of_xyz), rounding]),
        between[:3],
        np.hstack([rgb_of_xyz * _STEPS, rounding]),
    )


@functools.cache
def _light_of_bytes() -> NDArray[np.float32]:
    import numpy as np

    return np.asarray(linear_light(np.arange(256) / 255) * _STEPS, np.float32)


@functools.cache
def _roots() -> NDArray[np.float32]:
    """By light in steps: what L*, a* and b* are made of."""
    import numpy as np

    return np.asarray((lightness(np.arange(_STEPS + 1) / _STEPS) + 16) / 116, np.float32)


@functools.cache
def _bytes_of_light() -> Pixels:
    import numpy as np

    return _bytes_of(srgb(np.arange(_STEPS + 1) / _STEPS))


def _bytes_of(shares: Values) -> Pixels:
    import numpy as np

    return np.asarray(np.rint(shares * 255), np.uint8)
