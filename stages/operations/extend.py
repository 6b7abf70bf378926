"""Extend: add pixels at the edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from ipc.pixels import Geometry, Layout
from stages.canvas import on_canvas
from stages.colors import BLACK, Color, layout_showing
from stages.limits import Limits
from stages.operation import Operation
from stages.raster import Raster, room_for, written_into

if TYPE_CHECKING:
    from stages.raster import Pixels

_Width = Annotated[int, Meta(ge=0)]


class Extend(Operation, frozen=True, tag="extend"):
    """Add pixels at the edges: of one colour, or taken from the picture. A colour that lets through gives the picture
    alpha."""

    top: Annotated[_Width, Meta(description="Rows added above")] = 0
    bottom: Annotated[_Width, Meta(description="Rows added below")] = 0
    left: Annotated[_Width, Meta(description="Columns added on the left")] = 0
    right: Annotated[_Width, Meta(description="Columns added on the right")] = 0
    background: Annotated[Color, Meta(description="Colour of what is added; black if absent")] | None = None
    source: (
        Annotated[
            Literal["copy", "mirror", "repeat"],
            Meta(description="What is added instead of a colour: the outermost pixels, the picture mirrored, or again"),
        ]
        | None
    ) = msgspec.field(default=None, name="with")

    def __post_init__(self) -> None:
        if self.background is not None and self.source is not None:
            raise ValueError("with: excludes background")

    def plan(self, source: Geometry, limits: Limits) -> Geometry:
        """Larger by what is added."""
        most = self.most(source, limits)
        limits.check(most.width, most.height, "result")
        return most

    def most(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # not held against them here
        """Larger by what is added."""
        shows_color = self.source is None and not self.is_idle(source)
        layout = layout_showing(source.layout, self._color) if shows_color else source.layout
        return self._larger(source, layout)

    def is_idle(self, source: Geometry) -> bool:  # noqa: ARG002  # of any picture
        """Whether nothing is added."""
        return not (self.top or self.bottom or self.left or self.right)

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """By OpenCV, into `target` where given."""
        nominal = raster.nominal
        result = Geometry(
            nominal.width + self.left + self.right, nominal.height + self.top + self.bottom, nominal.layout
        )
        if self.source is not None:
            return Raster.whole(self._continued(raster.pixels, result, target), result)
        result = Geometry(result.width, result.height, layout_showing(nominal.layout, self._color))
        pixels = on_canvas(raster.pixels, nominal.layout, result, self.left, self.top, self._color, target)
        return Raster.whole(pixels, result)

    @property
    def _color(self) -> Color:
        return BLACK if self.background is None else self.background

    def _larger(self, source: Geometry, layout: Layout) -> Geometry:
        return Geometry(source.width + self.left + self.right, source.height + self.top + self.bottom, layout)

    def _continued(self, pixels: Pixels, result: Geometry, target: Pixels | None) -> Pixels:
        import cv2

        border = {"copy": cv2.BORDER_REPLICATE, "mirror": cv2.BORDER_REFLECT, "repeat": cv2.BORDER_WRAP}
        room = room_for((result.height, result.width, result.layout.channels), target)
        edges = (self.top, self.bottom, self.left, self.right)
        return written_into(cv2.copyMakeBorder(pixels, *edges, border[self.source or "copy"], dst=room), room)
