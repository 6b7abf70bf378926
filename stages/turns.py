"""Turns and mirrorings of a picture: the eight symmetries of a rectangle, which are the eight EXIF orientations."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Turn:
    """First `quarters` quarter turns clockwise, then, if `mirrored`, left and right exchanged."""

    quarters: int = 0
    mirrored: bool = False

    def then(self, other: "Turn") -> "Turn":
        """Both, one after the other. A turn seen in a mirror goes the other way round."""
        quarters = self.quarters - other.quarters if self.mirrored else self.quarters + other.quarters
        return Turn(quarters % 4, self.mirrored != other.mirrored)


BY_ORIENTATION: Final = {
    1: Turn(),
    2: Turn(0, mirrored=True),
    3: Turn(2),
    4: Turn(2, mirrored=True),
    5: Turn(1, mirrored=True),
    6: Turn(1),
    7: Turn(3, mirrored=True),
    8: Turn(3),
}
"""What makes a picture of each EXIF orientation upright."""
