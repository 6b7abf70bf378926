"""Modulate: brightness, saturation and hue."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from ipc.pixels import Geometry, Layout
from stages.lab import grey_table, mapped
from stages.limits import Limits
from stages.operation import Operation
from stages.raster import Raster, room_for
from stages.table import Table

if TYPE_CHECKING:
    from stages.raster import Pixels


class Modulate(Operation, frozen=True, tag="modulate"):
    """Change lightness, chroma and hue in CIE LCh. Alpha is left alone; of a grey picture, only lightness changes."""

    brightness: Annotated[float, Meta(ge=0, le=100, description="Factor of L*")] = 1.0
    saturation: Annotated[float, Meta(ge=0, le=100, description="Factor of the chroma")] = 1.0
    hue: Annotated[float, Meta(ge=-3600, le=3600, description="Degrees that are added to the hue")] = 0.0
    lightness: Annotated[float, Meta(ge=-100, le=100, description="Added to L*, which is 0 to 100")] = 0.0

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # nothing grows
        """The same."""
        return source

    def is_idle(self, source: Geometry) -> bool:
        """Whether neither lightness nor, where there is any, colour changes."""
        is_color_kept = source.layout is Layout.GRAY or (self.saturation == 1 and self.hue % 360 == 0)
        return self.brightness == 1 and self.lightness == 0 and is_color_kept

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """Into `target` where given. A turn of the hue turns the plane of a* and b*."""
        import numpy as np

        layout = raster.nominal.layout
        if layout is Layout.GRAY:
            return Table(grey_table(self.brightness, self.lightness)).apply(raster, target)
        along = self.saturation * math.cos(math.radians(self.hue))
        across = self.saturation * math.sin(math.radians(self.hue))
        matrix = np.array(
            [
                [self.brightness, 0, 0, self.lightness],
                [0, along, -across, 0],
                [0, across, along, 0],
            ]
        )
        result = room_for(raster.pixels.shape, target)
        return Raster(mapped(raster.pixels, layout, matrix, result), raster.nominal, raster.box)
