"""What every operation on pixels is: a declaration that a producer sends, a plan, and the work itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec

from ipc.pixels import Geometry
from stages.limits import Limits

if TYPE_CHECKING:
    from stages.raster import Pixels, Raster

Side = Annotated[int, msgspec.Meta(ge=1)]
"""Width or height asked for. Its upper bound is `max_side`, whose excess is TOO_LARGE and not BAD_REQUEST."""


class Operation(msgspec.Struct, frozen=True, tag_field="op", forbid_unknown_fields=True):
    """One entry of a request's `operations`. A subclass has a `tag`, its name in requests, and its parameters.

    `sides` names parameters that are sides of a picture. `keeps_scale` is true of operations that mean the same on
    a picture scaled by the decoder: they work on each pixel alone, or only move pixels.
    """

    sides: ClassVar[tuple[str, ...]] = ()
    keeps_scale: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """Name in requests."""
        return str(self.__struct_config__.tag)

    def plan(self, source: Geometry, limits: Limits) -> Geometry:
        """Geometry of the result. FrameError TOO_LARGE beyond `limits`, BAD_REQUEST where the picture does not suit."""
        raise NotImplementedError

    def is_idle(self, source: Geometry) -> bool:
        """Whether a picture of this geometry would come out just as it went in."""
        raise NotImplementedError

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """Do it. The result has the planned geometry; it may lie in `target`, which has exactly its shape, or not."""
        raise NotImplementedError
