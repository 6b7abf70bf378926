"""Median: the middle value of each pixel's surroundings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from ipc.pixels import Geometry
from stages.alpha import divided, is_opaque, multiplied
from stages.limits import Limits
from stages.operation import Operation
from stages.raster import Raster, room_for, written_into
from stages.strips import strips

if TYPE_CHECKING:
    from stages.raster import Pixels


class Median(Operation, frozen=True, tag="median"):
    """Give every pixel the median of a square about it, each channel by itself: specks go, edges stay. Colours count as
    much as they are seen."""

    size: Annotated[
        int, Meta(ge=1, le=255, description="Side of the square in pixels, an odd number; 1 changes nothing")
    ] = 3

    def __post_init__(self) -> None:
        if self.size % 2 == 0:
            raise ValueError(f"size: expected an odd number, not {self.size}")

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # nothing grows
        """The same."""
        return source

    def is_idle(self, source: Geometry) -> bool:
        """Whether there is nothing about a pixel."""
        return self.size == 1 or source.pixels == 1

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """By OpenCV, into `target` where given. What lies outside is as its edge."""
        import cv2

        result = room_for(raster.pixels.shape, target)
        if is_opaque(raster.pixels):
            written_into(cv2.medianBlur(raster.pixels, self.size, dst=result), result)
        else:
            _as_seen(raster.pixels, self.size, result)
        return Raster(result, raster.nominal, raster.box)


def _as_seen(pixels: Pixels, size: int, target: Pixels) -> None:
    """Of colours that are multiplied by alpha, to 8 bits: as exact as they will be seen."""
    import cv2
    import numpy as np

    for rows in strips(pixels):
        written_into(cv2.convertScaleAbs(multiplied(pixels[rows]), dst=target[rows], alpha=1 / 255), target)
    medians = np.asarray(cv2.medianBlur(target, size), np.uint8)
    for rows in strips(medians):
        values = medians[rows].astype(np.float32) * 255
        written_into(cv2.convertScaleAbs(divided(values), dst=target[rows]), target)
