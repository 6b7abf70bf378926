"""Linear: contrast and brightness by a straight line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from ipc.pixels import Geometry
from stages.limits import Limits
from stages.operation import Operation
from stages.table import Table

if TYPE_CHECKING:
    from stages.raster import Pixels, Raster


class Linear(Operation, frozen=True, tag="linear"):
    """Turn every value v of the colour channels into a * v + b, from 0 to 255. Alpha is left alone."""

    a: Annotated[float, Meta(ge=-1000, le=1000, description="Factor: contrast")] = 1.0
    b: Annotated[float, Meta(ge=-100_000, le=100_000, description="What is added, in steps of 255")] = 0.0

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # nothing grows
        """The same."""
        return source

    def is_idle(self, source: Geometry) -> bool:  # noqa: ARG002  # does not depend on the picture
        """Whether nothing is asked for. Told without the table, which takes the broker's time for others."""
        return self.a == 1 and self.b == 0

    def table(self) -> bytes:
        """The line, rounded and kept within 0 to 255."""
        return bytes(min(max(math.floor(self.a * value + self.b + 0.5), 0), 255) for value in range(256))

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """By table, into `target` where given."""
        return Table(self.table()).apply(raster, target)
