"""Composite: lay an overlay over the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta

from ipc.pixels import Geometry, Layout
from stages.alpha import lay_over
from stages.fitting import Word, fit_picture
from stages.layouts import colored, converted, is_reversed
from stages.limits import Limits
from stages.operation import Applicable, Operation
from stages.overlays import View, seen
from stages.raster import Raster, room_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stages.raster import Pixels

Offset = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]

_PATTERN_ROWS_MIN: Final = 64
"""Of tiles: laid at once, so that low ones do not take a call for every few pixels."""


class Composite(Operation, frozen=True, tag="composite"):
    """Lay an overlay of the configuration over the picture. What sticks out is cut off. A grey picture becomes one of
    colours."""

    overlay: Annotated[str, Meta(min_length=1, max_length=64, description="Its name in the configuration")]
    gravity: Annotated[Word, Meta(description="Where it lies: `centre` if nothing is said")] | None = None
    left: (
        Annotated[Offset, Meta(description="Of its left edge, in pixels; with `top`, in the place of `gravity`")] | None
    ) = None
    top: Annotated[Offset, Meta(description="Of its upper edge, in pixels")] | None = None
    opacity: Annotated[float, Meta(ge=0, le=1, description="Factor of its alpha")] = 1.0
    tile: Annotated[bool, Meta(description="Whether it is repeated over all of the picture, from the top left")] = False
    scale: (
        Annotated[float, Meta(gt=0, le=10, description="Its width as a share of the picture's; its own if absent")]
        | None
    ) = None

    def __post_init__(self) -> None:
        if (self.left is None) != (self.top is None):
            absent = "left" if self.left is None else "top"
            raise ValueError(f"{absent}: left and top go together")
        if self.left is not None and self.gravity is not None:
            raise ValueError("gravity: excludes left and top")
        if self.tile and (self.left is not None or self.gravity is not None):
            raise ValueError("tile: excludes gravity, left and top")

    @property
    def overlays(self) -> tuple[str, ...]:
        """The one."""
        return (self.overlay,)

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # nothing grows
        """The same size, in colours."""
        return Geometry(source.width, source.height, colored(source.layout))

    def is_idle(self, source: Geometry) -> bool:
        """Whether nothing is seen of the overlay."""
        return self.opacity == 0 and source.layout is not Layout.GRAY

    def bound(self, overlays: Mapping[str, Raster]) -> Applicable:
        """With its overlay: only that can be applied."""
        return _Bound(self, overlays[self.overlay])

    def lay(self, overlay: Raster, target: Pixels, layout: Layout) -> None:
        """Lay `overlay` over `target`, of a `layout` of colours."""
        height, width, _ = target.shape
        own = self._size(overlay.nominal, width)
        order = Layout.BGRA if is_reversed(layout) else Layout.RGBA
        if self.tile:
            self._lay_tiles(seen(overlay, View(*own, 0, 0, min(own[0], width), min(own[1], height)), order), target)
            return
        left, top = self._place((width, height), own)
        first, last = max(left, 0), min(left + own[0], width)
        upper, lower = max(top, 0), min(top + own[1], height)
        if first < last and upper < lower:
            view = View(*own, first - left, upper - top, last - first, lower - upper)
            lay_over(seen(overlay, view, order).pixels, target[upper:lower, first:last], self.opacity)

    def _size(self, overlay: Geometry, width: int) -> tuple[int, int]:
        """Width and height that the overlay gets on a picture of this width."""
        if self.scale is None:
            return overlay.width, overlay.height
        own = max(1, round(self.scale * width))
        return own, max(1, round(overlay.height * own / overlay.width))

    def _place(self, picture: tuple[int, int], own: tuple[int, int]) -> tuple[int, int]:
        """Where the overlay's upper left corner comes to lie."""
        if self.left is not None and self.top is not None:
            return self.left, self.top
        word = self.gravity or "centre"
        # On each axis the smaller is a window in the larger: one of the two offsets is 0.
        in_picture = fit_picture(picture, own, "cover", word, without_enlargement=True, without_reduction=True)
        in_overlay = fit_picture(own, picture, "cover", word, without_enlargement=True, without_reduction=True)
        return in_picture.crop_left - in_overlay.crop_left, in_picture.crop_top - in_overlay.crop_top

    def _lay_tiles(self, tile: Raster, target: Pixels) -> None:
        import numpy as np

        height, width, _ = target.shape
        down, across = -(-_PATTERN_ROWS_MIN // tile.nominal.height), -(-width // tile.nominal.width)
        pattern = np.ascontiguousarray(np.tile(tile.pixels, (down, across, 1))[:, :width])
        for top in range(0, height, pattern.shape[0]):
            rows = target[top : top + pattern.shape[0]]
            lay_over(pattern[: rows.shape[0]], rows, self.opacity)


@dataclass(frozen=True, slots=True)
class _Bound:
    composite: Composite
    overlay: Raster

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """Rounded once, into `target` where given."""
        import numpy as np

        layout = colored(raster.nominal.layout)
        result = room_for((*raster.pixels.shape[:2], layout.channels), target)
        if layout is raster.nominal.layout:
            np.copyto(result, raster.pixels)
        else:
            converted(raster.pixels, raster.nominal.layout, layout, result)
        self.composite.lay(self.overlay, result, layout)
        return Raster(result, Geometry(raster.nominal.width, raster.nominal.height, layout), raster.box)
