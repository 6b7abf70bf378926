"""Flatten: lay a picture with alpha on a colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import Meta

from ipc.pixels import Geometry
from stages.alpha import flattened
from stages.colors import BLACK, Color, color_in
from stages.layouts import without_alpha
from stages.limits import Limits
from stages.operation import Operation
from stages.raster import Raster, room_for

if TYPE_CHECKING:
    from stages.raster import Pixels


class Flatten(Operation, frozen=True, tag="flatten"):
    """Lay the picture on a colour; it has no alpha any more. One without alpha stays as it is."""

    keeps_scale: ClassVar[bool] = True

    background: Annotated[Color, Meta(description="What is seen through the picture; its own alpha is ignored")] = BLACK

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # nothing grows
        """The same size, without alpha."""
        return Geometry(source.width, source.height, without_alpha(source.layout))

    def is_idle(self, source: Geometry) -> bool:
        """Whether there is no alpha."""
        return source.layout.channels != 4

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """Rounded once, into `target` where given."""
        nominal = raster.nominal
        if nominal.layout.channels != 4:
            return raster
        height, width, _ = raster.pixels.shape
        result = room_for((height, width, 3), target)
        flattened(raster.pixels, color_in(nominal.layout, self.background), result)
        return Raster(result, Geometry(nominal.width, nominal.height, without_alpha(nominal.layout)), raster.box)
