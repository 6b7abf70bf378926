"""Pixel geometry: how many, how wide, and in which order their channels lie.

Always 8 bits a channel, rows without padding.
"""

from enum import StrEnum

import msgspec


class Layout(StrEnum):
    """Order of the channels of one pixel in memory."""

    GRAY = "GRAY"
    RGB = "RGB"
    BGR = "BGR"
    RGBA = "RGBA"
    BGRA = "BGRA"

    @property
    def channels(self) -> int:
        """Bytes of one pixel."""
        return _CHANNELS[self]


_CHANNELS = {Layout.GRAY: 1, Layout.RGB: 3, Layout.BGR: 3, Layout.RGBA: 4, Layout.BGRA: 4}


class Geometry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Shape of a picture in memory: `height` rows of `width` pixels, packed."""

    width: int
    height: int
    layout: Layout

    @property
    def bytes(self) -> int:
        """Size of all pixels."""
        return self.width * self.height * _CHANNELS[self.layout]

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.width * self.height
