"""Scaling that a JPEG decoder does on the way, for less than decoding in full takes."""

from typing import Final

from ipc.pixels import Geometry

DENOMINATORS: Final = (1, 2, 4, 8)
"""By which of them a picture can be made smaller."""


def scaled(geometry: Geometry, denominator: int) -> Geometry:
    """What comes of a picture at 1/`denominator`: sides are rounded up."""
    return Geometry(-(-geometry.width // denominator), -(-geometry.height // denominator), geometry.layout)
