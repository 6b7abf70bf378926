"""Resize: to a width, a height or both, by one of five ways of fitting."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Geometry
from stages.colors import BLACK, Color, color_in
from stages.fitting import Fit, Fitting, Position, fit_picture
from stages.limits import Limits
from stages.operation import Operation, Side
from stages.raster import Box, Raster
from stages.resample import REDUCTION_LEAVES, Kernel, resample

if TYPE_CHECKING:
    from stages.raster import Pixels

_CONTENT_AWARE = ("entropy", "attention")
_AREA_REDUCTION_LEAVES: Final = {2: 3.0, 4: 4.0, 8: 6.0}
"""As `REDUCTION_LEAVES`, for `area`: its sharp-edged kernel shows where the coarser pixels begin."""


class Resize(Operation, frozen=True, tag="resize"):
    """Names and meanings are sharp's. Of `position`, a point `[x, y]` is a focal point in 0..1 for `cover`, and how
    the free space is shared for `contain`. `linear`, `cubic`, `mitchell` and `lanczos3` are antialiased."""

    sides: ClassVar[tuple[str, ...]] = ("width", "height")

    width: Side | None = None
    height: Side | None = None
    fit: Fit = "cover"
    position: Position | Literal["entropy", "attention"] = "centre"
    kernel: Kernel = "lanczos3"
    without_enlargement: bool = False
    without_reduction: bool = False
    background: Color = BLACK

    def __post_init__(self) -> None:
        if self.width is None and self.height is None:
            raise ValueError("width: is required where there is no height")
        if self.position in _CONTENT_AWARE:
            raise ValueError(f"position: {self.position!r} is not supported by this version")
        if not isinstance(self.position, str) and not all(0 <= share <= 1 for share in self.position):
            raise ValueError("position: expected two numbers from 0 to 1")

    def plan(self, source: Geometry, limits: Limits) -> Geometry:
        """The size of `fit`, in the same layout."""
        for side in self.sides:
            asked = getattr(self, side)
            if asked is not None and asked > limits.max_side:
                raise FrameError(ErrorCode.TOO_LARGE, f"{side} {asked} is over max_side {limits.max_side}")
        fitting = self._fitting(source)
        limits.check(fitting.canvas_width, fitting.canvas_height, "result")
        return Geometry(fitting.canvas_width, fitting.canvas_height, source.layout)

    def is_idle(self, source: Geometry) -> bool:
        """Whether the size is the same already, and nothing is cut or added."""
        fitting = self._fitting(source)
        own = (source.width, source.height)
        return own == (fitting.scaled_width, fitting.scaled_height) == (fitting.canvas_width, fitting.canvas_height)

    def scale_allowed(self, source: Geometry) -> int:
        """By which of 1, 2, 4, 8 a decoder may make `source` smaller, the result staying within 1.0 RMSE.

        `nearest` picks single pixels, which must be there.
        """
        if self.kernel == "nearest":
            return 1
        leaves = _AREA_REDUCTION_LEAVES if self.kernel == "area" else REDUCTION_LEAVES
        fitting = self._fitting(source)
        shrink = min(source.width / fitting.scaled_width, source.height / fitting.scaled_height)
        return max((by for by, left in leaves.items() if shrink / by >= left), default=1)

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """One pass: only what stays visible is computed."""
        import numpy as np

        fitting = self._fitting(raster.nominal)
        result = Geometry(fitting.canvas_width, fitting.canvas_height, raster.nominal.layout)
        box = _visible(raster.box, fitting)
        reduced = round(raster.nominal.width / raster.box.width)
        if (fitting.width, fitting.height) == (result.width, result.height):
            pixels = resample(raster.pixels, box, result.width, result.height, self.kernel, target, reduced)
            return Raster.whole(pixels, result)
        canvas = target
        if canvas is None:
            canvas = np.empty((result.height, result.width, result.layout.channels), np.uint8)
        canvas[:] = color_in(result.layout, self.background)
        canvas[fitting.top : fitting.top + fitting.height, fitting.left : fitting.left + fitting.width] = resample(
            raster.pixels, box, fitting.width, fitting.height, self.kernel, reduced=reduced
        )
        return Raster.whole(canvas, result)

    def _fitting(self, source: Geometry) -> Fitting:
        position = "centre" if self.position in _CONTENT_AWARE else self.position
        return fit_picture(
            (source.width, source.height),
            (self.width, self.height),
            self.fit,
            position,  # type: ignore[arg-type]  # mypy does not narrow a union of literals by `in`
            without_enlargement=self.without_enlargement,
            without_reduction=self.without_reduction,
        )


def _visible(box: Box, fitting: Fitting) -> Box:
    """The part of `box` that remains after the crop, in the same coordinates."""
    across, down = box.width / fitting.scaled_width, box.height / fitting.scaled_height
    return Box(
        box.left + fitting.crop_left * across,
        box.top + fitting.crop_top * down,
        fitting.width * across,
        fitting.height * down,
    )
