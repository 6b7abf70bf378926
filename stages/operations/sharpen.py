"""Sharpen: by an unsharp mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from ipc.pixels import Geometry
from stages.gaussian import SIGMA_MAX, SIGMA_MIN, gaussian_strips
from stages.limits import Limits
from stages.operation import Operation
from stages.raster import Raster, room_for, written_into

if TYPE_CHECKING:
    from stages.raster import Pixels


class Sharpen(Operation, frozen=True, tag="sharpen"):
    """Turn every value v of the colour channels into v + amount * (v - blurred v). What is not seen has no part in the
    blurred v, and alpha is left alone."""

    sigma: Annotated[
        float, Meta(ge=SIGMA_MIN, le=SIGMA_MAX, description="Standard deviation of the Gaussian, in pixels")
    ]
    amount: Annotated[float, Meta(ge=0, le=100, description="How much of the difference is added")] = 1.0
    threshold: Annotated[
        float, Meta(ge=0, le=255, description="Values that differ from the blurred by no more than this stay")
    ] = 0.0

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # nothing grows
        """The same."""
        return source

    def is_idle(self, source: Geometry) -> bool:
        """Whether nothing is added."""
        return self.amount == 0 or self.threshold == 255 or source.pixels == 1

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """Rounded once, into `target` where given."""
        import cv2
        import numpy as np

        result = room_for(raster.pixels.shape, target)
        for rows, blurred in gaussian_strips(raster.pixels, self.sigma):
            values = raster.pixels[rows].astype(np.float32)
            differences = values - blurred
            if self.threshold > 0:
                differences *= np.abs(differences) > self.threshold
            if differences.shape[2] == 4:
                differences[..., 3] = 0
            written_into(
                cv2.addWeighted(values, 1, differences, self.amount, 0, dst=result[rows], dtype=cv2.CV_8U), result
            )
        return Raster(result, raster.nominal, raster.box)
