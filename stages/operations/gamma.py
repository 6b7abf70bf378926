"""Gamma: brighten or leave alone, dark parts most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from ipc.pixels import Geometry
from stages.limits import Limits
from stages.operation import Operation
from stages.table import Table

if TYPE_CHECKING:
    from stages.raster import Pixels, Raster


class Gamma(Operation, frozen=True, tag="gamma"):
    """Turn every value v of the colour channels into 255 * (v / 255) ** (1 / gamma). Alpha is left alone."""

    gamma: Annotated[float, Meta(ge=1, le=3, description="1 changes nothing")] = 2.2

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # nothing grows
        """The same."""
        return source

    def is_idle(self, source: Geometry) -> bool:  # noqa: ARG002  # does not depend on the picture
        """Whether nothing is asked for. Told without the table, which takes the broker's time for others."""
        return self.gamma == 1

    def table(self) -> bytes:
        """The power law, rounded."""
        return bytes(int(255 * (value / 255) ** (1 / self.gamma) + 0.5) for value in range(256))

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """By table, into `target` where given."""
        return Table(self.table()).apply(raster, target)
