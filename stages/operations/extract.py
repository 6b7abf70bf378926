"""Extract: cut a rectangle out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import Meta

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Geometry
from stages.limits import Limits
from stages.operation import Operation, Side

if TYPE_CHECKING:
    from stages.raster import Pixels, Raster

_Offset = Annotated[int, Meta(ge=0)]


class Extract(Operation, frozen=True, tag="extract"):
    """Cut a rectangle out, which must lie inside the picture."""

    sides: ClassVar[tuple[str, ...]] = ("width", "height")
    keeps_scale: ClassVar[bool] = True

    left: Annotated[_Offset, Meta(description="Columns cut off on the left")]
    top: Annotated[_Offset, Meta(description="Rows cut off above")]
    width: Annotated[Side, Meta(description="Width of what is kept")]
    height: Annotated[Side, Meta(description="Height of what is kept")]

    def plan(self, source: Geometry, limits: Limits) -> Geometry:  # noqa: ARG002  # a part is within what the whole is
        """A part of the picture."""
        for begin, length, side, limit in (
            ("left", "width", self.left + self.width, source.width),
            ("top", "height", self.top + self.height, source.height),
        ):
            if side > limit:
                raise FrameError(
                    ErrorCode.BAD_REQUEST, f"{begin} + {length} is {side}, over the picture's {length} {limit}"
                )
        return Geometry(self.width, self.height, source.layout)

    def is_idle(self, source: Geometry) -> bool:
        """Whether it is all of the picture."""
        return (self.width, self.height) == (source.width, source.height)

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:  # noqa: ARG002  # a view is enough
        """Nothing is copied."""
        return raster.part(self.left, self.top, self.width, self.height)
