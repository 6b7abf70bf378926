"""Negate: the photographic negative."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from ipc.pixels import Geometry
from stages.limits import Limits
from stages.operation import Operation
from stages.table import Table

if TYPE_CHECKING:
    from stages.raster import Pixels, Raster

_VALUES: Final = bytes(range(255, -1, -1))


class Negate(Operation, frozen=True, tag="negate"):
    """Turn every value v of the colour channels into 255 - v. Alpha is left alone."""

    keeps_scale: ClassVar[bool] = True

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # nothing grows
        """The same."""
        return source

    def is_idle(self, source: Geometry) -> bool:  # noqa: ARG002  # of no picture
        """Never: no value is its own negative."""
        return False

    def table(self) -> bytes:
        """255 - v."""
        return _VALUES

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """By table, into `target` where given."""
        return Table(self.table()).apply(raster, target)
