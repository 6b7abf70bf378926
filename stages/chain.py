"""The operations of one output, made concrete for one picture: what is computed, and of what size.

After an operation whose result's size depends on the pixels (`Operation.is_open`), only bounds of all further sizes are
known. They are kept within `limits`, side by side, because the worker holds every real picture against these.
"""

from typing import Final

import msgspec

from ipc.errors import FrameError
from ipc.pixels import Geometry
from stages.limits import Limits
from stages.operation import Operation
from stages.operations.auto_orient import AutoOrient
from stages.operations.flip import Flip
from stages.operations.flop import Flop
from stages.operations.resize import Resize
from stages.operations.rotate import Rotate
from stages.turns import BY_ORIENTATION, Turn


class Chain(msgspec.Struct, frozen=True):
    """Operations that all have something to do, in order."""

    operations: tuple[Operation, ...]
    source: Geometry
    """Of the picture before the first."""
    result: Geometry
    """Of the picture after the last; if `is_open`, the most it can be, side by side."""
    room_bytes: int
    """What the result takes of the arena, at most."""
    orientation: int = 1
    """EXIF orientation that nobody has applied."""
    is_open: bool = False
    """Whether the size of the result can be told from the pixels only."""


def compose(
    operations: tuple[Operation, ...],
    source: Geometry,
    orientation: int,
    limits: Limits,
    path: str = "operations",
) -> Chain:
    """Put the turn of EXIF `orientation` in the place of the first `auto_orient`, and drop what changes nothing.

    FrameError BAD_REQUEST or TOO_LARGE of an operation's plan; the message begins with `path` and its index.
    """
    links = _Links(source, limits)
    turn = Turn()
    for index, operation in enumerate(operations):
        if isinstance(operation, AutoOrient):
            turn = turn.then(BY_ORIENTATION[orientation])
            orientation = 1  # used up: a second auto_orient finds an upright picture
        elif (own := _turn_of(operation)) is not None:
            turn = turn.then(own)
        else:
            links.append_turn(turn)
            turn = Turn()
            try:
                links.append(operation)
            except FrameError as error:
                raise FrameError(error.code, f"{path}[{index}] ({operation.name}): {error.message}") from None
    links.append_turn(turn)
    result = links.geometry
    return Chain(tuple(links.kept), source, result, links.room_bytes, orientation, links.is_open)


def scale_allowed(chain: Chain) -> int:
    """By which of 1, 2, 4, 8 the decoder may shrink the picture, leaving the first resize enough to do."""
    geometry = chain.source
    for operation in chain.operations:
        if isinstance(operation, Resize):
            return operation.scale_allowed(geometry)
        if not operation.keeps_scale:
            return 1
        geometry = operation.plan(geometry, _UNLIMITED)
    return 1


_UNLIMITED: Final = Limits(max_side=1 << 62, max_pixels=1 << 62)


class _Links:
    """A chain in the making: what is kept of it, and the picture after the last operation."""

    def __init__(self, source: Geometry, limits: Limits) -> None:
        self.kept: list[Operation] = []
        self.geometry = source
        self.is_open = False
        self._limits = limits

    @property
    def room_bytes(self) -> int:
        """What the picture takes at most. Its sides in an open chain are bounds, whose product is over another one."""
        if not self.is_open:
            return self.geometry.bytes
        return min(self.geometry.pixels, self._limits.max_pixels) * self.geometry.layout.channels

    def append(self, operation: Operation) -> None:
        """Add an operation, unless it changes nothing. Raises `FrameError` of its plan."""
        if self.is_open:
            # Whether it is idle, only the worker can tell.
            most = operation.most(self.geometry, self._limits)
            side = self._limits.max_side
            self.geometry = Geometry(min(most.width, side), min(most.height, side), most.layout)
            self.kept.append(operation)
            return
        planned = operation.plan(self.geometry, self._limits)
        if not operation.is_idle(self.geometry):
            self.kept.append(operation)
            self.is_open = operation.is_open
        self.geometry = planned

    def append_turn(self, turn: Turn) -> None:
        """Add the fewest operations that make `turn`."""
        for operation in _TURNS[turn]:
            self.append(operation)


def _turn_of(operation: Operation) -> Turn | None:
    """What an operation is as a symmetry of a rectangle, if it is one."""
    return operation.turn if isinstance(operation, Rotate | Flip | Flop) else None


_TURNS: Final[dict[Turn, tuple[Operation, ...]]] = {
    Turn(0): (),
    Turn(1): (Rotate(90),),
    Turn(2): (Rotate(180),),
    Turn(3): (Rotate(270),),
    Turn(0, mirrored=True): (Flop(),),
    Turn(1, mirrored=True): (Rotate(90), Flop()),
    Turn(2, mirrored=True): (Flip(),),
    Turn(3, mirrored=True): (Rotate(90), Flip()),
}
