"""Trim: cut off edges of one colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import Meta

from ipc.pixels import Geometry
from stages.border import bounding_box
from stages.colors import Color, color_in
from stages.limits import Limits
from stages.operation import Operation

if TYPE_CHECKING:
    from stages.raster import Pixels, Raster


class Trim(Operation, frozen=True, tag="trim"):
    """Cut off the edges that are of one colour. What is left can be told from the pixels only; a picture that is of one
    colour altogether stays as it is."""

    is_open: ClassVar[bool] = True

    threshold: Annotated[
        float, Meta(ge=0, le=255, description="How far a channel may be from the background's and still belong to it")
    ] = 10.0
    background: (
        Annotated[Color, Meta(description="Colour that is cut off; of the picture's top left pixel if absent")] | None
    ) = None

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # nothing grows
        """All of it, if there is nothing to cut off."""
        return source

    def is_idle(self, source: Geometry) -> bool:
        """Whether there is but one pixel."""
        return source.pixels == 1

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:  # noqa: ARG002  # a view is enough
        """Nothing is copied."""
        layout = raster.nominal.layout
        corner = tuple(int(value) for value in raster.pixels[0, 0])
        color = corner if self.background is None else color_in(layout, self.background)
        found = bounding_box(raster.pixels, color, self.threshold)
        return raster if found is None else raster.part(*found)
