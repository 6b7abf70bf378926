"""Tint: one colour in all its shades."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta

from ipc.pixels import Geometry, Layout
from stages.alpha import joined
from stages.colors import Color
from stages.lab import LUMINANCES, lab_of_rgb, lightness, linear_light, luminance_strips, rgb_of_lab
from stages.layouts import colored, is_reversed
from stages.limits import Limits
from stages.operation import Operation
from stages.raster import Raster, room_for, written_into

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.raster import Pixels

_TABLES_CACHED: Final = 8


class Tint(Operation, frozen=True, tag="tint"):
    """Keep L* of every pixel, and take a* and b* from a colour. A grey picture becomes one of colours; alpha is left
    alone."""

    color: Annotated[Color, Meta(description="Where a* and b* are taken from; its alpha is ignored")]

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # nothing grows
        """The same size, in colours."""
        return Geometry(source.width, source.height, colored(source.layout))

    def is_idle(self, source: Geometry) -> bool:  # noqa: ARG002  # of no picture
        """Never: it depends on the pixels."""
        return False

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """By table, into `target` where given."""
        import cv2
        import numpy as np

        pixels, nominal = raster.pixels, raster.nominal
        layout = colored(nominal.layout)
        result = room_for((*pixels.shape[:2], layout.channels), target)
        if nominal.layout is Layout.GRAY:
            shades = _shades_of_greys(self.color[:3])
            written_into(cv2.LUT(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), shades, dst=result), result)
        else:
            table = _shades(self.color[:3], is_reversed(layout))
            for rows, luminances in luminance_strips(pixels, layout):
                tinted = table.take(luminances, mode="clip").view(np.uint8).reshape(*luminances.shape, 4)
                if layout.channels == 4:
                    joined(tinted, pixels[rows], result[rows])
                else:
                    written_into(cv2.cvtColor(tinted, cv2.COLOR_RGBA2RGB, dst=result[rows]), result)
        return Raster(result, Geometry(nominal.width, nominal.height, layout), raster.box)


@functools.lru_cache(maxsize=_TABLES_CACHED)
def _shades(color: tuple[int, ...], reverse: bool) -> NDArray[np.uint32]:
    """By luminance: the channels of one pixel, in one number."""
    import numpy as np

    shades = _of_lightness(lightness(np.arange(LUMINANCES) / (LUMINANCES - 1)), color)
    pixels = np.zeros((LUMINANCES, 4), np.uint8)
    pixels[:, :3] = shades[:, ::-1] if reverse else shades
    return pixels.view(np.uint32).ravel()


@functools.lru_cache(maxsize=_TABLES_CACHED)
def _shades_of_greys(color: tuple[int, ...]) -> Pixels:
    """By grey value, as OpenCV takes a table of three channels."""
    import numpy as np

    return _of_lightness(lightness(linear_light(np.arange(256) / 255)), color).reshape(1, 256, 3)


def _of_lightness(values: NDArray[np.float64], color: tuple[int, ...]) -> Pixels:
    import numpy as np

    _, a, b = lab_of_rgb(color)
    return rgb_of_lab(np.stack([values, np.full_like(values, a), np.full_like(values, b)], axis=-1))
