"""A table of values: what becomes of each value of the colour channels, where nothing else counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stages.raster import Raster, room_for, written_into

if TYPE_CHECKING:
    from stages.raster import Pixels

_IDENTITY: Final = bytes(range(256))


@dataclass(frozen=True, slots=True)
class Table:
    """`values` has 256 entries. Alpha is left alone."""

    values: bytes

    def then(self, other: Table) -> Table:
        """Both in one: `other` comes after."""
        return Table(self.values.translate(other.values))

    def apply(self, raster: Raster, target: Pixels | None = None) -> Raster:
        """Look every value up, writing into `target` where it is given and has the pixels' shape."""
        import cv2
        import numpy as np

        pixels = raster.pixels
        result = room_for(pixels.shape, target)
        own = np.frombuffer(self.values, np.uint8)
        if pixels.shape[2] == 4:
            alpha = np.frombuffer(_IDENTITY, np.uint8)
            own = np.stack([own, own, own, alpha], axis=1).reshape(1, 256, 4)
        written_into(cv2.LUT(pixels, own, dst=result), result)
        return Raster(result, raster.nominal, raster.box)
