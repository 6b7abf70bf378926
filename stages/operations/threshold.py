"""Threshold: black and white, nothing between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from ipc.pixels import Geometry
from stages.limits import Limits
from stages.operation import Operation
from stages.operations.grayscale import Grayscale
from stages.table import Table

if TYPE_CHECKING:
    from stages.raster import Pixels, Raster


class Threshold(Operation, frozen=True, tag="threshold"):
    """Turn the picture grey as `grayscale` does, and then white where it is at least `threshold`, else black."""

    threshold: Annotated[int, Meta(ge=0, le=255, description="The darkest grey that becomes white")] = 128

    def plan(self, source: Geometry, limits: Limits) -> Geometry:
        """As `grayscale`: one channel, or four where there is alpha, which is left alone."""
        return Grayscale().plan(source, limits)

    def is_idle(self, source: Geometry) -> bool:  # noqa: ARG002  # of no picture
        """Never: it depends on the pixels."""
        return False

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """By OpenCV and by table, into `target` where given."""
        grey = Grayscale().apply(raster, target)
        return Table(bytes(self.threshold) + b"\xff" * (256 - self.threshold)).apply(grey, target)
