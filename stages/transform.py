"""Transform: pixels in the arena become other pixels in the arena, by one output's operations."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from ipc.errors import FrameError
from ipc.messages import Extent, Transform
from ipc.pixels import Geometry, Layout
from stages import decoders
from stages.limits import Limits
from stages.operation import Applicable, Operation
from stages.operations import decode_operations, encode_operations
from stages.operations.grayscale import Grayscale
from stages.operations.resize import Resize
from stages.operations.rotate import Rotate
from stages.overlays import decoded_overlays
from stages.raster import Raster, bytes_at, pixels_at
from stages.scaling import DENOMINATORS, scaled
from stages.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stages.raster import Ground, Pixels

_OPERATIONS_CACHED: Final = 256  # chains in use at a time; a producer that varies them costs a parse of 2 us


def transform(step: Transform, ground: memoryview | Ground, limits: Limits) -> Geometry:
    """Apply `step.operations`; the last one's result comes to lie in `step.target`. Returns its geometry.

    ValueError where the step is at fault: then nothing was written. FrameError of an open step whose real sizes are
    over `limits`, or do not suit an operation.
    """
    import numpy as np

    room = bytes_at(ground, step.target)
    if step.result.width < 1 or step.result.height < 1 or (not step.is_open and step.result.bytes > len(room)):
        raise ValueError(f"{step.result} does not fit into {step.target}")
    pixels = pixels_at(ground, step.source, step.geometry)
    pixels.flags.writeable = False
    raster = Raster.whole(pixels, step.nominal, _denominator(step))
    passes = _passes(step.operations)
    overlays = decoded_overlays(step.overlays, ground) if step.overlays else {}
    if step.is_open:
        raster = _applied_by_size(passes, raster, overlays, limits)
    else:
        raster = _applied(passes, raster, overlays, _pixels_in(room, step.result))
    _check(raster, step)
    target = _pixels_in(room, raster.nominal)
    if not np.shares_memory(raster.pixels, target):
        np.copyto(target, raster.pixels)
    return raster.nominal


def warm() -> None:
    """Import and run once what frames and overlays will need: later nothing can be loaded any more."""
    import cv2

    cv2.setNumThreads(1)  # one worker is one core's worth
    decoders.warm()
    source, result = Geometry(96, 80, Layout.RGB), Geometry(8, 8, Layout.GRAY)
    arena = memoryview(bytearray(source.bytes + result.bytes))
    extents = Extent(0, source.bytes), Extent(source.bytes, result.bytes)
    for kernel in ("lanczos3", "area", "nearest"):
        operations = encode_operations((Rotate(90), Resize(8, 8, kernel=kernel, position="attention"), Grayscale()))
        transform(Transform(*extents, source, source, operations, result), arena, Limits(96, 96 * 96))


def _applied(
    passes: Sequence[Operation | Table], raster: Raster, overlays: Mapping[str, Raster], target: Pixels
) -> Raster:
    """All of `passes`, whose results have the sizes of the plan; the last may write into `target`."""
    last = len(passes) - 1
    for index, one in enumerate(passes):
        raster = _bound(one, overlays).apply(raster, target if index == last else None)
    return raster


def _applied_by_size(
    passes: Iterable[Operation | Table], raster: Raster, overlays: Mapping[str, Raster], limits: Limits
) -> Raster:
    """All of `passes`, each planned anew for the picture that it really gets."""
    for one in passes:
        if isinstance(one, Operation):
            try:
                planned = one.plan(raster.nominal, limits)
            except FrameError as error:
                raise FrameError(error.code, f"operations ({one.name}): {error.message}") from None
            if one.is_idle(raster.nominal):
                continue
            applied = _bound(one, overlays).apply(raster)
            if not one.is_open and applied.nominal != planned:
                raise ValueError(f"{one.name} made {applied.nominal} of a plan for {planned}")
            raster = applied
        else:
            raster = one.apply(raster)
    return raster


def _bound(one: Operation | Table, overlays: Mapping[str, Raster]) -> Applicable:
    return one.bound(overlays) if overlays and isinstance(one, Operation) else one


def _check(raster: Raster, step: Transform) -> None:
    """ValueError where the result is not what was planned."""
    made, plan = raster.nominal, step.result
    is_as_planned = (
        made.layout is plan.layout
        and made.width <= plan.width
        and made.height <= plan.height
        and made.bytes <= step.target.bytes
        if step.is_open
        else made == plan
    )
    if not is_as_planned or raster.pixels.shape != (made.height, made.width, made.layout.channels):
        raise ValueError(f"operations made {made} of a plan for {plan}")


def _pixels_in(room: memoryview, geometry: Geometry) -> Pixels:
    import numpy as np

    return np.frombuffer(room[: geometry.bytes], np.uint8).reshape(
        geometry.height, geometry.width, geometry.layout.channels
    )


@functools.lru_cache(maxsize=_OPERATIONS_CACHED)
def _passes(encoded: bytes) -> tuple[Operation | Table, ...]:
    """The operations; neighbours that are tables of values are one."""
    passes: list[Operation | Table] = []
    for operation in decode_operations(encoded):
        values = operation.table()
        last = passes[-1] if passes else None
        if values is None:
            passes.append(operation)
        elif isinstance(last, Table):
            passes[-1] = last.then(Table(values))
        else:
            passes.append(Table(values))
    return tuple(passes)


def _denominator(step: Transform) -> int:
    """By how much the decoder scaled the picture."""
    for denominator in DENOMINATORS:
        if step.geometry == scaled(step.nominal, denominator):
            return denominator
    raise ValueError(f"{step.geometry} is no scaled {step.nominal}")
