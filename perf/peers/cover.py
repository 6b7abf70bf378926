"""Cover: what of a picture is seen when it fills the square of a thumbnail. Pure, and without any library."""

from dataclasses import dataclass

from perf.work import RESULT_SIDE


@dataclass(frozen=True, slots=True)
class Cover:
    """A picture scaled until it fills the square, and where the square lies in it: where the daemon's does.

    A peer that put it half a pixel aside would do as much work, but could not be held against the others' pictures.
    """

    scaled_width: int
    scaled_height: int
    left: int
    top: int

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Where the square lies in the picture that comes in: left, top, right, bottom."""
        across, down = width / self.scaled_width, height / self.scaled_height
        return (
            self.left * across,
            self.top * down,
            (self.left + RESULT_SIDE) * across,
            (self.top + RESULT_SIDE) * down,
        )


def cover_of(width: int, height: int) -> Cover:
    """Scale a picture, the shorter side to the square's, and lay the square into its middle."""
    factor = RESULT_SIDE / min(width, height)
    scaled_width, scaled_height = round(width * factor), round(height * factor)
    return Cover(
        scaled_width, scaled_height, (scaled_width - RESULT_SIDE + 1) // 2, (scaled_height - RESULT_SIDE + 1) // 2
    )
