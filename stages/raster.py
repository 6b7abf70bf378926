"""Pixels in memory together with the picture they stand for.

A JPEG decoder can halve a picture while decoding. Operations go on counting in the picture's own, *nominal* pixels;
`Raster.box` says where these lie among the actual ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from ipc.pixels import Geometry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ipc.messages import Extent

    Pixels = NDArray[np.uint8]


Axis = Literal["horizontal", "vertical"]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixel coordinates; its edges may lie inside pixels."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Raster:
    """A picture of size and layout `nominal`, which lies in `box` of `pixels` (height x width x channels)."""

    pixels: Pixels
    nominal: Geometry
    box: Box

    @classmethod
    def whole(cls, pixels: Pixels, nominal: Geometry, denominator: int = 1) -> Raster:
        """All of `pixels`, which a decoder scaled by 1/`denominator`, rounding up: the last may be part padding."""
        return cls(pixels, nominal, Box(0.0, 0.0, nominal.width / denominator, nominal.height / denominator))

    def part(self, left: int, top: int, width: int, height: int) -> Raster:
        """The rectangle given in nominal pixels, without its surroundings."""
        across, down = self.box.width / self.nominal.width, self.box.height / self.nominal.height
        box = Box(self.box.left + left * across, self.box.top + top * down, width * across, height * down)
        first_column, first_row = math.floor(box.left), math.floor(box.top)
        pixels = self.pixels[
            first_row : math.ceil(box.top + box.height), first_column : math.ceil(box.left + box.width)
        ]
        inside = Box(box.left - first_column, box.top - first_row, box.width, box.height)
        return Raster(pixels, Geometry(width, height, self.nominal.layout), inside)

    def turned(self, quarters: int, target: Pixels | None = None) -> Raster:
        """Turned clockwise by 1, 2 or 3 quarters."""
        import cv2

        code = {1: cv2.ROTATE_90_CLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_COUNTERCLOCKWISE}[quarters]
        height, width, channels = self.pixels.shape
        shape = (height, width, channels) if quarters == 2 else (width, height, channels)
        result = room_for(shape, target)
        written_into(cv2.rotate(self.pixels, code, dst=result), result)
        box, nominal = self.box, self.nominal
        right, below = width - box.left - box.width, height - box.top - box.height
        if quarters == 2:
            return Raster(result, nominal, Box(right, below, box.width, box.height))
        left, top = (below, box.left) if quarters == 1 else (box.top, right)
        return Raster(
            result, Geometry(nominal.height, nominal.width, nominal.layout), Box(left, top, box.height, box.width)
        )

    def mirrored(self, axis: Axis, target: Pixels | None = None) -> Raster:
        """Left and right exchanged, or top and bottom."""
        import cv2

        height, width, _ = self.pixels.shape
        result = room_for(self.pixels.shape, target)
        written_into(cv2.flip(self.pixels, 1 if axis == "horizontal" else 0, dst=result), result)
        left, top = self.box.left, self.box.top
        if axis == "horizontal":
            left = width - left - self.box.width
        else:
            top = height - top - self.box.height
        return Raster(result, self.nominal, Box(left, top, self.box.width, self.box.height))


def written_into(result: object, target: Pixels) -> Pixels:
    """`target`, after asserting that OpenCV wrote there: where shape or type differ it silently allocates anew."""
    import numpy as np

    if not (isinstance(result, np.ndarray) and np.shares_memory(result, target)):
        raise RuntimeError(f"OpenCV did not write into the given array of shape {target.shape}")
    return target


def room_for(shape: tuple[int, ...], target: Pixels | None) -> Pixels:
    """`target` where it has this shape; a decoder's scaling can make an intermediate picture differ from it."""
    import numpy as np

    return target if target is not None and target.shape == shape else np.empty(shape, np.uint8)


class Ground(Protocol):
    """All memory that extents can be in, where that is more than the arena."""

    def at(self, extent: Extent) -> memoryview:
        """View of an extent, as `bytes_at` gives it."""


def pixels_at(ground: memoryview | Ground, extent: Extent, geometry: Geometry) -> Pixels:
    """View of the pixels in `extent`, height x width x channels; drop it after use. ValueError: they do not fit."""
    import numpy as np

    if geometry.width < 1 or geometry.height < 1 or geometry.bytes > extent.bytes:
        raise ValueError(f"{geometry} does not fit into {extent}")
    return np.frombuffer(bytes_at(ground, extent)[: geometry.bytes], np.uint8).reshape(
        geometry.height, geometry.width, geometry.layout.channels
    )


def bytes_at(ground: memoryview | Ground, extent: Extent) -> memoryview:
    """View of `extent`, where a view alone is all of the arena. ValueError where it is not inside."""
    if not isinstance(ground, memoryview):
        return ground.at(extent)
    arena = ground
    if extent.segment or extent.offset < 0 or extent.bytes < 1 or extent.offset + extent.bytes > len(arena):
        raise ValueError(f"{extent} is not inside an arena of {len(arena)} bytes")
    return arena[extent.offset : extent.offset + extent.bytes]
