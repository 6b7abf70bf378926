"""Resize: to a width, a height or both, by one of five ways of fitting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from msgspec import Meta

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Geometry, Layout
from stages.canvas import on_canvas
from stages.colors import BLACK, Color, layout_showing
from stages.fitting import Fit, Fitting, Position, fit_picture, largest_fit
from stages.limits import Limits
from stages.operation import Operation, Side
from stages.raster import Box, Raster
from stages.resample import REDUCTION_LEAVES, Kernel, resample
from stages.smartcrop import Interest, crop_offset

if TYPE_CHECKING:
    from stages.raster import Pixels

_AREA_REDUCTION_LEAVES: Final = {2: 3.0, 4: 4.0, 8: 6.0}
"""As `REDUCTION_LEAVES`, for `area`: its sharp-edged kernel shows where the coarser pixels begin."""


class Resize(Operation, frozen=True, tag="resize"):
    """Bring to a width, a height or both. Names and meanings are sharp's; all kernels but `nearest` are antialiased.

    `contain` with a background that lets through gives the picture alpha.
    """

    sides: ClassVar[tuple[str, ...]] = ("width", "height")

    width: Annotated[Side, Meta(description="Width; by the picture's proportions if absent")] | None = None
    height: Annotated[Side, Meta(description="Height; by the picture's proportions if absent")] | None = None
    fit: Annotated[
        Fit,
        Meta(
            description="Where both are given: cut to them, pad to them, distort to them, stay within them, or cover "
            "them uncut"
        ),
    ] = "cover"
    position: Annotated[
        Position | Interest,
        Meta(
            description="What of the picture `cover` keeps, and where `contain` puts it: an edge or corner, a point in "
            "shares from 0 to 1, or what is found to be most interesting (`cover` only)"
        ),
    ] = "centre"
    kernel: Annotated[Kernel, Meta(description="How pixels are weighted")] = "lanczos3"
    without_enlargement: Annotated[bool, Meta(description="Never scale up")] = False
    without_reduction: Annotated[bool, Meta(description="Never scale down")] = False
    background: Annotated[Color, Meta(description="Colour of what `contain` adds")] = BLACK

    def __post_init__(self) -> None:
        if self.width is None and self.height is None:
            raise ValueError("width: is required where there is no height")
        if not isinstance(self.position, str) and not all(0 <= share <= 1 for share in self.position):
            raise ValueError("position: expected two numbers from 0 to 1")

    def plan(self, source: Geometry, limits: Limits) -> Geometry:
        """The size of `fit`."""
        for side in self.sides:
            asked = getattr(self, side)
            if asked is not None and asked > limits.max_side:
                raise FrameError(ErrorCode.TOO_LARGE, f"{side} {asked} is over max_side {limits.max_side}")
        fitting = self._fitting(source)
        limits.check(fitting.canvas_width, fitting.canvas_height, "result")
        if self._interest(fitting) is not None:
            limits.check(fitting.scaled_width, fitting.scaled_height, "picture before it is cut")
        return Geometry(fitting.canvas_width, fitting.canvas_height, self._layout(source.layout))

    def most(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # not held against them here
        """What is asked for, or what the flattest and the steepest picture would become."""
        width, height = largest_fit(
            (source.width, source.height),
            (self.width, self.height),
            self.fit,
            without_enlargement=self.without_enlargement,
            without_reduction=self.without_reduction,
        )
        return Geometry(width, height, self._layout(source.layout))

    def is_idle(self, source: Geometry) -> bool:
        """Whether the size is the same already, and nothing is cut or added."""
        fitting = self._fitting(source)
        own = (source.width, source.height)
        return (
            own == (fitting.scaled_width, fitting.scaled_height) == (fitting.canvas_width, fitting.canvas_height)
            and self._layout(source.layout) is source.layout
        )

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
        """One pass: only what stays visible is computed, unless it must be seen to tell what that is."""
        nominal = raster.nominal
        fitting = self._fitting(nominal)
        result = Geometry(fitting.canvas_width, fitting.canvas_height, self._layout(nominal.layout))
        reduced = round(nominal.width / raster.box.width)
        if (interest := self._interest(fitting)) is not None:
            size = (fitting.scaled_width, fitting.scaled_height)
            scaled = resample(raster.pixels, raster.box, *size, self.kernel, reduced=reduced)
            left, top = crop_offset(scaled, nominal.layout, fitting.width, fitting.height, interest)
            return Raster.whole(scaled[top : top + fitting.height, left : left + fitting.width], result)
        box = _visible(raster.box, fitting)
        size = (fitting.width, fitting.height)
        if size == (result.width, result.height) and result.layout is nominal.layout:
            return Raster.whole(resample(raster.pixels, box, *size, self.kernel, target, reduced), result)
        picture = resample(raster.pixels, box, *size, self.kernel, reduced=reduced)
        return Raster.whole(
            on_canvas(picture, nominal.layout, result, fitting.left, fitting.top, self.background, target), result
        )

    def _layout(self, layout: Layout) -> Layout:
        """Of the result. It does not depend on whether there is anything to add, which a size alone does not tell."""
        adds = self.fit == "contain" and self.width is not None and self.height is not None
        return layout_showing(layout, self.background) if adds else layout

    def _interest(self, fitting: Fitting) -> Interest | None:
        """What is to be kept of the picture, where only its pixels tell."""
        is_cut = (fitting.scaled_width, fitting.scaled_height) != (fitting.width, fitting.height)
        match self.position:
            case "entropy" | "attention" as interest if is_cut:
                return interest
            case _:
                return None

    @property
    def _anchor(self) -> Position:
        """Where the picture is held, as far as its size tells."""
        match self.position:
            case "entropy" | "attention":
                return "centre"
            case position:
                return position

    def _fitting(self, source: Geometry) -> Fitting:
        return fit_picture(
            (source.width, source.height),
            (self.width, self.height),
            self.fit,
            self._anchor,
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
