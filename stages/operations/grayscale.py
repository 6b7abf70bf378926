"""Grayscale: Rec. 601 luma in the place of colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ipc.pixels import Geometry, Layout
from stages.alpha import joined
from stages.limits import Limits
from stages.operation import Operation
from stages.raster import Raster, room_for, written_into
from stages.strips import strips

if TYPE_CHECKING:
    from stages.raster import Pixels


class Grayscale(Operation, frozen=True, tag="grayscale"):
    """Turn colours into their luma by Rec. 601. One channel is left, or, with alpha, three that are equal and alpha."""

    keeps_scale: ClassVar[bool] = True

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # nothing grows
        """The same size."""
        return source if source.layout.channels == 4 else Geometry(source.width, source.height, Layout.GRAY)

    def is_idle(self, source: Geometry) -> bool:
        """Whether it is grey already."""
        return source.layout is Layout.GRAY

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """By OpenCV, into `target` where given. 0.299 R + 0.587 G + 0.114 B, rounded."""
        import cv2
        import numpy as np

        pixels, nominal = raster.pixels, raster.nominal
        if nominal.layout is Layout.GRAY:
            return raster
        layout = nominal.layout if nominal.layout.channels == 4 else Layout.GRAY
        result = room_for((*pixels.shape[:2], layout.channels), target)
        code = getattr(cv2, f"COLOR_{nominal.layout}2GRAY")
        if layout is Layout.GRAY:
            written_into(cv2.cvtColor(pixels, code, dst=result), result)
        else:
            for rows in strips(pixels):
                grey = cv2.cvtColor(cv2.cvtColor(pixels[rows], code), cv2.COLOR_GRAY2RGB)
                joined(np.asarray(grey, np.uint8), pixels[rows], result[rows])
        return Raster(result, Geometry(nominal.width, nominal.height, layout), raster.box)
