"""Grayscale: Rec. 601 luma in the place of colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ipc.pixels import Geometry, Layout
from stages.limits import Limits
from stages.operation import Operation
from stages.raster import Raster, written_into

if TYPE_CHECKING:
    from stages.raster import Pixels


class Grayscale(Operation, frozen=True, tag="grayscale"):
    """One channel is left; a picture with alpha keeps it, and its three colours become equal."""

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

        code = {
            Layout.RGB: cv2.COLOR_RGB2GRAY,
            Layout.BGR: cv2.COLOR_BGR2GRAY,
            Layout.RGBA: cv2.COLOR_RGBA2GRAY,
            Layout.BGRA: cv2.COLOR_BGRA2GRAY,
        }.get(raster.nominal.layout)
        if code is None:
            return raster
        height, width, channels = raster.pixels.shape
        layout = raster.nominal.layout if channels == 4 else Layout.GRAY
        result = np.empty((height, width, layout.channels), np.uint8)
        if target is not None and target.shape == result.shape:
            result = target
        if channels == 4:
            result[..., :3] = np.asarray(cv2.cvtColor(raster.pixels, code))[..., np.newaxis]
            result[..., 3] = raster.pixels[..., 3]
        else:
            written_into(cv2.cvtColor(raster.pixels, code, dst=result), result)
        return Raster(result, Geometry(raster.nominal.width, raster.nominal.height, layout), raster.box)
