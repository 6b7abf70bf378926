"""Blur: convolution with a Gaussian."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from ipc.pixels import Geometry
from stages.gaussian import SIGMA_MAX, SIGMA_MIN, blurred
from stages.limits import Limits
from stages.operation import Operation
from stages.raster import Raster, room_for

if TYPE_CHECKING:
    from stages.raster import Pixels


class Blur(Operation, frozen=True, tag="blur"):
    """Blur by a Gaussian. Colours count as much as they are seen; alpha is blurred too."""

    sigma: Annotated[float, Meta(ge=SIGMA_MIN, le=SIGMA_MAX, description="Standard deviation in pixels")]

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # nothing grows
        """The same."""
        return source

    def is_idle(self, source: Geometry) -> bool:
        """Whether there is but one pixel."""
        return source.pixels == 1

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """Rounded once, into `target` where given."""
        result = room_for(raster.pixels.shape, target)
        blurred(raster.pixels, self.sigma, result)
        return Raster(result, raster.nominal, raster.box)
