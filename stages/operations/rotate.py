"""Rotate: turn clockwise by quarter turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ipc.pixels import Geometry
from stages.colors import BLACK, Color
from stages.limits import Limits
from stages.operation import Operation
from stages.turns import Turn

if TYPE_CHECKING:
    from stages.raster import Pixels, Raster


class Rotate(Operation, frozen=True, tag="rotate"):
    """`angle` in degrees clockwise. `background` would show at other angles than the quarter turns."""

    keeps_scale: ClassVar[bool] = True

    angle: float
    background: Color = BLACK

    def __post_init__(self) -> None:
        if self.angle % 90 != 0:
            raise ValueError(f"angle: {self.angle:g} is not supported by this version, only multiples of 90")

    @property
    def turn(self) -> Turn:
        """The same as a symmetry."""
        return Turn(int(self.angle // 90) % 4)

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # both sides have one limit
        """Sides change places at odd quarters."""
        if self.turn.quarters % 2:
            return Geometry(source.height, source.width, source.layout)
        return source

    def is_idle(self, source: Geometry) -> bool:  # noqa: ARG002  # does not depend on the picture
        """Whether it is a full turn."""
        return self.turn.quarters == 0

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """By OpenCV, into `target` where given."""
        return raster.turned(self.turn.quarters, target)
