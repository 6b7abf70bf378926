"""Flop: exchange left and right."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ipc.pixels import Geometry
from stages.limits import Limits
from stages.operation import Operation
from stages.turns import Turn

if TYPE_CHECKING:
    from stages.raster import Pixels, Raster


class Flop(Operation, frozen=True, tag="flop"):
    """Exchange left and right."""

    keeps_scale: ClassVar[bool] = True

    @property
    def turn(self) -> Turn:
        """The same as a symmetry."""
        return Turn(0, mirrored=True)

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # nothing grows
        """The same."""
        return source

    def is_idle(self, source: Geometry) -> bool:
        """Whether there is one column only."""
        return source.width == 1

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """By OpenCV, into `target` where given."""
        return raster.mirrored("horizontal", target)
