"""Auto orient: turn the picture as its EXIF orientation says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipc.pixels import Geometry
from stages.limits import Limits
from stages.operation import Operation

if TYPE_CHECKING:
    from stages.raster import Pixels, Raster


class AutoOrient(Operation, frozen=True, tag="auto_orient"):
    """A wish: `stages.chain` puts the concrete turn in its place, because only the file's header knows it."""

    def plan(self, source: Geometry, limits: Limits) -> Geometry:
        """Refused."""
        raise NotImplementedError("auto_orient is replaced by stages.chain.compose")

    def is_idle(self, source: Geometry) -> bool:
        """Refused."""
        raise NotImplementedError("auto_orient is replaced by stages.chain.compose")

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """Refused."""
        raise NotImplementedError("auto_orient is replaced by stages.chain.compose")
