"""A canvas of one colour, on which a picture is placed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipc.pixels import Geometry, Layout
from stages.colors import color_in
from stages.layouts import converted
from stages.raster import room_for

if TYPE_CHECKING:
    from stages.raster import Pixels


def on_canvas(
    pixels: Pixels,
    layout: Layout,
    canvas: Geometry,
    left: int,
    top: int,
    color: tuple[int, ...],
    target: Pixels | None = None,
) -> Pixels:
    """`pixels` of `layout` at `left`, `top` of a `canvas` of `color`, written into `target` where it has that shape.

    A canvas with alpha takes a picture without it as opaque.
    """
    import numpy as np

    result = room_for((canvas.height, canvas.width, canvas.layout.channels), target)
    height, width, _ = pixels.shape
    right, bottom = left + width, top + height
    # A row is copied many times as fast as a value is repeated.
    row = np.empty(result.shape[1:], np.uint8)
    row[:] = color_in(canvas.layout, color)
    result[:top] = result[bottom:] = row
    result[top:bottom, :left] = row[:left]
    result[top:bottom, right:] = row[right:]
    inside = result[top:bottom, left:right]
    picture = converted(pixels, layout, canvas.layout, inside)
    if picture is pixels:
        np.copyto(inside, picture)
    return result
