"""What every operation on pixels is: a declaration that a producer sends, a plan, and the work itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol

import msgspec

from ipc.pixels import Geometry
from stages.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stages.raster import Pixels, Raster

Side = Annotated[int, msgspec.Meta(ge=1)]
"""Width or height asked for. Its upper bound is `max_side`, whose excess is TOO_LARGE and not BAD_REQUEST."""


class Applicable(Protocol):
    """What can be done to a picture at once."""

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """Do it. The result has the planned geometry; it may lie in `target`, which has exactly its shape, or not."""
        ...


class Operation(msgspec.Struct, frozen=True, tag_field="op", forbid_unknown_fields=True):
    """One entry of a request's `operations`. A subclass has a `tag`, its name in requests, and its parameters.

    The first line of its docstring says what it does and each parameter's `Meta(description=...)` what that means: the
    protocol's table and the JSON Schema are made of them.
    """

    sides: ClassVar[tuple[str, ...]] = ()
    """Parameters that are sides of a picture."""
    keeps_scale: ClassVar[bool] = False
    """Whether it means the same on a picture that the decoder has scaled: it only moves pixels, or commutes with taking
    their mean."""
    is_open: ClassVar[bool] = False
    """Whether the size of the result depends on the pixels; `plan` then tells the most it can be."""

    @property
    def name(self) -> str:
        """Name in requests."""
        return str(self.__struct_config__.tag)

    @property
    def overlays(self) -> tuple[str, ...]:
        """Names of the configuration's overlays that it needs; `bound` is given them."""
        return ()

    def plan(self, source: Geometry, limits: Limits) -> Geometry:
        """Geometry of the result. FrameError TOO_LARGE beyond `limits`, BAD_REQUEST where the picture does not suit."""
        raise NotImplementedError

    def most(self, source: Geometry, limits: Limits) -> Geometry:
        """Sides that the result can have at most, if `source` has at most these sides; its layout is known.

        Overridden where a smaller source can have a larger result. What is over `limits` is no error here.
        """
        return self.plan(source, limits)

    def is_idle(self, source: Geometry) -> bool:
        """Whether a picture of this geometry would come out just as it went in."""
        raise NotImplementedError

    def table(self) -> bytes | None:
        """What becomes of each value, 0 to 255, of the colour channels, where nothing else counts; None if it does.

        Neighbours with a table are applied as one.
        """
        return None

    def bound(self, overlays: Mapping[str, Raster]) -> Applicable:  # noqa: ARG002  # most need none
        """Itself with the overlays that it needs."""
        return self

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """Do it. The result has the planned geometry; it may lie in `target`, which has exactly its shape, or not."""
        raise NotImplementedError
