"""The operations of one output, made concrete for one picture: what is computed, and of what size."""

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

DENOMINATORS: Final = (1, 2, 4, 8)
"""A JPEG decoder shrinks by these for less than decoding in full."""


class Chain(msgspec.Struct, frozen=True):
    """Operations that all have something to do, in order."""

    operations: tuple[Operation, ...]
    source: Geometry
    """Of the picture before the first."""
    result: Geometry
    """Of the picture after the last."""


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
    kept: list[Operation] = []
    turn = Turn()
    geometry = source
    for index, operation in enumerate(operations):
        if isinstance(operation, AutoOrient):
            turn = turn.then(BY_ORIENTATION[orientation])
            orientation = 1  # used up: a second auto_orient finds an upright picture
            continue
        if isinstance(operation, Rotate | Flip | Flop):
            turn = turn.then(operation.turn)
            continue
        geometry = _settle(kept, turn, geometry, limits)
        turn = Turn()
        planned = _plan(operation, geometry, limits, f"{path}[{index}]")
        if not operation.is_idle(geometry):
            kept.append(operation)
        geometry = planned
    geometry = _settle(kept, turn, geometry, limits)
    return Chain(tuple(kept), source, geometry)


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


def scaled(geometry: Geometry, denominator: int) -> Geometry:
    """What a JPEG decoder makes of a picture at 1/`denominator`: sides are rounded up."""
    return Geometry(-(-geometry.width // denominator), -(-geometry.height // denominator), geometry.layout)


_UNLIMITED: Final = Limits(max_side=1 << 62, max_pixels=1 << 62)


def _settle(kept: list[Operation], turn: Turn, geometry: Geometry, limits: Limits) -> Geometry:
    """Append the fewest operations that make `turn`."""
    for operation in _TURNS[turn]:
        if not operation.is_idle(geometry):
            kept.append(operation)
        geometry = operation.plan(geometry, limits)
    return geometry


def _plan(operation: Operation, geometry: Geometry, limits: Limits, path: str) -> Geometry:
    try:
        return operation.plan(geometry, limits)
    except FrameError as error:
        raise FrameError(error.code, f"{path} ({operation.name}): {error.message}") from None


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
