"""Rotate: turn clockwise, by any angle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from ipc.pixels import Geometry
from stages.colors import BLACK, Color, layout_showing
from stages.limits import Limits
from stages.operation import Operation
from stages.raster import Raster
from stages.rotation import Rotation, rotated
from stages.turns import Turn

if TYPE_CHECKING:
    from stages.raster import Pixels


class Rotate(Operation, frozen=True, tag="rotate"):
    """Turn clockwise. Multiples of 90 degrees only move pixels; at other angles the picture grows to hold its corners,
    and a background that lets through gives it alpha."""

    angle: Annotated[float, Meta(ge=-36_000, le=36_000, description="Degrees clockwise")]
    background: Annotated[Color, Meta(description="Colour of what is added at the corners")] = BLACK

    @property
    def keeps_scale(self) -> bool:  # type: ignore[override]  # of this one it depends on a parameter
        """Whether it only moves pixels."""
        return self.turn is not None

    @property
    def turn(self) -> Turn | None:
        """The same as a symmetry of a rectangle, if it is one."""
        quarters, rest = divmod(self.angle, 90)
        return None if rest else Turn(int(quarters) % 4)

    def plan(self, source: Geometry, limits: Limits) -> Geometry:
        """The box that holds the picture's corners; sides change places at odd quarters."""
        most = self.most(source, limits)
        if self.turn is None:
            limits.check(most.width, most.height, "result")
        return most

    def most(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # not held against them here
        """The same, for it grows with the picture."""
        if self.turn is None:
            rotation = Rotation.of(source.width, source.height, self.angle)
            return Geometry(rotation.width, rotation.height, layout_showing(source.layout, self.background))
        if self.turn.quarters % 2:
            return Geometry(source.height, source.width, source.layout)
        return source

    def is_idle(self, source: Geometry) -> bool:  # noqa: ARG002  # does not depend on the picture
        """Whether it is a full turn."""
        return self.turn == Turn()

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """By OpenCV, into `target` where given."""
        if self.turn is not None:
            return raster.turned(self.turn.quarters, target)
        nominal = raster.nominal
        rotation = Rotation.of(nominal.width, nominal.height, self.angle)
        result = Geometry(rotation.width, rotation.height, layout_showing(nominal.layout, self.background))
        return Raster.whole(rotated(raster.pixels, nominal.layout, rotation, result, self.background, target), result)
