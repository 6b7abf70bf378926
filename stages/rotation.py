"""Rotation about any angle: the size that holds the whole picture, and its pixels.

Size and place are those of libvips' `rotate`, which sharp uses: the corners of the picture, whose first pixel lies at
the origin, are turned, and the box around them is rounded to whole pixels. Between pixels the value is interpolated
linearly: nothing overshoots, and nothing is made smaller that would have to be averaged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ipc.pixels import Geometry, Layout
from stages.alpha import divided, is_opaque, multiplied
from stages.colors import color_in
from stages.layouts import converted
from stages.raster import room_for, written_into

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from stages.raster import Pixels

_TILE: Final = 2048
"""Side of what is computed at a time: OpenCV takes no picture of more than 32767 pixels a side."""
_WEIGHED_TILE: Final = 256
"""The same where colours are weighed by alpha on the way, which takes six times the room: that is to stay in cache."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What becomes of the plane: turned clockwise about the origin, then moved so that the box begins there."""

    cosine: float
    sine: float
    left: int
    top: int
    width: int
    height: int
    """`left`, `top`: where the box of `width` x `height` pixels lies before it is moved."""

    @classmethod
    def of(cls, width: int, height: int, angle: float) -> Rotation:
        """Of a picture, by `angle` degrees clockwise."""
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        across = [x * cosine - y * sine for x in (0, width) for y in (0, height)]
        down = [x * sine + y * cosine for x in (0, width) for y in (0, height)]
        return cls(
            cosine,
            sine,
            _rounded(min(across)),
            _rounded(min(down)),
            max(1, _rounded(max(across) - min(across))),
            max(1, _rounded(max(down) - min(down))),
        )

    def source_of(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the result was."""
        x, y = x + self.left, y + self.top
        return x * self.cosine + y * self.sine, y * self.cosine - x * self.sine


def rotated(
    pixels: Pixels,
    layout: Layout,
    rotation: Rotation,
    result: Geometry,
    color: tuple[int, ...],
    target: Pixels | None = None,
) -> Pixels:
    """`pixels` of `layout`, turned; `color` is where nothing of them comes to lie. `result` may have alpha instead."""
    import cv2
    import numpy as np

    room = room_for((result.height, result.width, result.layout.channels), target)
    value = color_in(result.layout, color)
    if layout is result.layout and (len(value) < 4 or (value[3] == 255 and is_opaque(pixels))):
        for tile, part, matrix in _tiles(pixels, room, rotation, _TILE):
            written_into(_warp(part, matrix, tile, value, tile), tile)
        return room
    weighed = tuple(int(one) for one in multiplied(np.array([[value]], np.uint8))[0, 0])
    for tile, part, matrix in _tiles(pixels, room, rotation, _WEIGHED_TILE):
        values = np.asarray(
            _warp(multiplied(converted(part, layout, result.layout)), matrix, tile, weighed), np.float32
        )
        written_into(cv2.convertScaleAbs(divided(values), dst=tile), tile)
    return room


def _tiles(
    pixels: Pixels, room: Pixels, rotation: Rotation, side: int
) -> Iterator[tuple[Pixels, Pixels, NDArray[np.float64]]]:
    """Parts of the result, the pixels that each needs, and the matrix from the former's coordinates to the latter's."""
    import numpy as np

    height, width, _ = pixels.shape
    for top in range(0, room.shape[0], side):
        for left in range(0, room.shape[1], side):
            tile = room[top : top + side, left : left + side]
            rows, columns, _ = tile.shape
            corners = [rotation.source_of(x, y) for x in (left, left + columns) for y in (top, top + rows)]
            first_column, last_column = _reach([x for x, _ in corners], width)
            first_row, last_row = _reach([y for _, y in corners], height)
            x, y = rotation.source_of(left, top)
            matrix = np.array(
                [
                    [rotation.cosine, rotation.sine, x - first_column],
                    [-rotation.sine, rotation.cosine, y - first_row],
                ]
            )
            yield tile, pixels[first_row:last_row, first_column:last_column], matrix


def _reach(places: list[float], side: int) -> tuple[int, int]:
    """First and last of the pixels that are interpolated between `places`; one at least, however far away they are."""
    first = min(max(0, math.floor(min(places)) - 1), side - 1)
    return first, max(first + 1, min(side, math.ceil(max(places)) + 2))


def _warp(
    part: Pixels | NDArray[np.uint16],
    matrix: NDArray[np.float64],
    tile: Pixels,
    value: tuple[int, ...],
    target: Pixels | None = None,
) -> object:
    import cv2

    return cv2.warpAffine(
        part,
        matrix,
        (tile.shape[1], tile.shape[0]),
        dst=target,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=tuple(float(one) for one in value),
    )


def _rounded(value: float) -> int:
    """To the next whole number, halves away from zero, as libvips does."""
    return math.floor(value + 0.5) if value > 0 else math.ceil(value - 0.5)
