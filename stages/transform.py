"""Transform: pixels in the arena become other pixels in the arena, by one output's operations."""

import functools
from typing import Final

from ipc.messages import Extent, Transform
from ipc.pixels import Geometry, Layout
from stages.chain import DENOMINATORS, scaled
from stages.operation import Operation
from stages.operations import decode_operations, encode_operations
from stages.operations.grayscale import Grayscale
from stages.operations.resize import Resize
from stages.operations.rotate import Rotate
from stages.raster import Raster, pixels_at

_OPERATIONS_CACHED: Final = 256  # chains in use at a time; a producer that varies them costs a parse of 2 us


def transform(step: Transform, arena: memoryview) -> None:
    """Apply `step.operations`; the last one's result comes to lie in exactly `step.target`.

    ValueError where the step is at fault: then nothing was written.
    """
    import numpy as np

    target = pixels_at(arena, step.target, step.result)
    pixels = pixels_at(arena, step.source, step.geometry)
    pixels.flags.writeable = False
    raster = Raster.whole(pixels, step.nominal, _denominator(step))
    operations = _operations(step.operations)
    for operation in operations[:-1]:
        raster = operation.apply(raster)
    for operation in operations[-1:]:
        raster = operation.apply(raster, target)
    if raster.nominal != step.result or raster.pixels.shape != target.shape:
        raise ValueError(f"operations made {raster.nominal} of a plan for {step.result}")
    if not np.shares_memory(raster.pixels, target):
        np.copyto(target, raster.pixels)


def warm() -> None:
    """Import and run once what frames will need, so that the first one does not wait for it."""
    import cv2

    cv2.setNumThreads(1)  # one worker is one core's worth
    source, result = Geometry(96, 80, Layout.RGB), Geometry(8, 8, Layout.GRAY)
    arena = memoryview(bytearray(source.bytes + result.bytes))
    for kernel in ("lanczos3", "area", "nearest"):
        operations = encode_operations((Rotate(90), Resize(8, 8, kernel=kernel), Grayscale()))
        extents = Extent(0, source.bytes), Extent(source.bytes, result.bytes)
        transform(Transform(*extents, source, source, operations, result), arena)


@functools.lru_cache(maxsize=_OPERATIONS_CACHED)
def _operations(encoded: bytes) -> tuple[Operation, ...]:
    return decode_operations(encoded)


def _denominator(step: Transform) -> int:
    """By how much the decoder scaled the picture."""
    for denominator in DENOMINATORS:
        if step.geometry == scaled(step.nominal, denominator):
            return denominator
    raise ValueError(f"{step.geometry} is no scaled {step.nominal}")
