"""Auto orient: turn the picture as its EXIF orientation says."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ipc.pixels import Geometry
from stages.limits import Limits
from stages.operation import Operation

if TYPE_CHECKING:
    from stages.raster import Pixels, Raster


class AutoOrient(Operation, frozen=True, tag="auto_orient"):
    """Turn the picture as its EXIF orientation says, once, wherever it stands.

    A wish: `stages.chain` puts the concrete turn in its place, because only the file's header knows it. By itself it is
    what it comes to for a picture whose header says nothing: no turn.
    """

    keeps_scale: ClassVar[bool] = True

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # nothing grows
        """The same."""
        return source

    def is_idle(self, source: Geometry) -> bool:  # noqa: ARG002  # of any picture
        """Always."""
        return True

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:  # noqa: ARG002  # nothing is written
        """The same."""
        return raster
