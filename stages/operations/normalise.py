"""Normalise: use the whole range from black to white."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from ipc.pixels import Geometry, Layout
from stages.lab import LUMINANCES, grey_table, lightness, linear_light, luminance_strips, mapped
from stages.limits import Limits
from stages.operation import Operation
from stages.raster import Raster, room_for
from stages.strips import strips
from stages.table import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.raster import Pixels

_RANGE_MIN = 1.0
"""Of L*: what has less contrast than this stays as it is."""


class Normalise(Operation, frozen=True, tag="normalise"):
    """Stretch L* so that the `lower` percentile becomes black and the `upper` one white. Pixels that are wholly
    transparent do not count; a* and b* stay."""

    lower: Annotated[float, Meta(ge=0, le=99, description="Percentile, below `upper`")] = 1.0
    upper: Annotated[float, Meta(ge=1, le=100, description="Percentile")] = 99.0

    def __post_init__(self) -> None:
        if self.lower >= self.upper:
            raise ValueError(f"lower: expected less than upper {self.upper:g}, not {self.lower:g}")

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # nothing grows
        """The same."""
        return source

    def is_idle(self, source: Geometry) -> bool:
        """Whether there is but one pixel."""
        return source.pixels == 1

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """Into `target` where given; the picture itself, where it has hardly any contrast."""
        import numpy as np

        layout = raster.nominal.layout
        black, white = self._ends(raster.pixels, layout)
        if white - black < _RANGE_MIN:
            return raster
        factor = 100 / (white - black)
        if layout is Layout.GRAY:
            return Table(grey_table(factor, -black * factor)).apply(raster, target)
        matrix = np.array([[factor, 0, 0, -black * factor], [0, 1, 0, 0], [0, 0, 1, 0]])
        result = room_for(raster.pixels.shape, target)
        return Raster(mapped(raster.pixels, layout, matrix, result), raster.nominal, raster.box)

    def _ends(self, pixels: Pixels, layout: Layout) -> tuple[float, float]:
        """L* of the two percentiles."""
        import numpy as np

        if layout is Layout.GRAY:
            counts = _greys(pixels)
            scale = lightness(linear_light(np.arange(256) / 255))
        else:
            counts = _luminances(pixels, layout)
            scale = lightness(np.arange(LUMINANCES) / (LUMINANCES - 1))
        total = np.cumsum(counts)
        if total[-1] == 0:
            return 0.0, 0.0
        first = np.searchsorted(total, total[-1] * self.lower / 100, side="right")
        last = np.searchsorted(total, total[-1] * self.upper / 100, side="left")
        return float(scale[first]), float(scale[last])


def _greys(pixels: Pixels) -> NDArray[np.int64]:
    """How many pixels have each value."""
    import cv2
    import numpy as np

    counts = np.zeros(256, np.int64)
    for rows in strips(pixels):
        counts += cv2.calcHist([pixels[rows]], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    return counts


def _luminances(pixels: Pixels, layout: Layout) -> NDArray[np.int64]:
    """How many visible pixels have each luminance."""
    import cv2
    import numpy as np

    counts = np.zeros(LUMINANCES, np.int64)
    for rows, luminances in luminance_strips(pixels, layout):
        mask = cv2.extractChannel(pixels[rows], 3) if layout.channels == 4 else None
        found = cv2.calcHist([luminances], [0], mask, [LUMINANCES], [0, LUMINANCES])
        counts += found.ravel().astype(np.int64)
    return counts
