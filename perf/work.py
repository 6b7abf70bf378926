"""Work: what every contender is given, and what it has to make of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

RESULT_SIDE: Final = 300
QUALITY: Final = 80
SUBSAMPLING: Final = "420"
KERNEL: Final = "lanczos3"

SourceKind = Literal["jpeg", "raw"]
ResultKind = Literal["thumbnail", "full"]


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of picture, and one kind of result: always a baseline JPEG of quality 80, 4:2:0, without metadata.

    `thumbnail`: 300 x 300 pixels by lanczos3, or by the next best kernel that a contender has; what does not fit the
    square is cut off on both sides alike. `full`: as large as it came, nothing but encoded anew.
    """

    source: SourceKind
    """A photograph as JPEG of quality 85, 4:2:0; or its pixels, RGB, 8 bits, row by row."""
    width: int
    height: int
    result: ResultKind

    @property
    def name(self) -> str:
        """How it is called in results and on the command line: `400`, `400-full`, `raw-1080p`, `raw-1080p-full`."""
        source = str(self.width) if self.source == "jpeg" else f"raw-{self.height}p"
        return source if self.result == "thumbnail" else f"{source}-full"

    @property
    def result_size(self) -> tuple[int, int]:
        """Width and height of what is to be made."""
        return (RESULT_SIDE, RESULT_SIDE) if self.result == "thumbnail" else (self.width, self.height)

    @property
    def busy_in_flight(self) -> int:
        """Frames in flight that keep everything busy; of raw pixels fewer: the daemon's queue takes 128 MiB."""
        return 32 if self.source == "jpeg" else 16

    @property
    def pixels(self) -> int:
        """Pixels of what comes in."""
        return self.width * self.height


SIDES: Final = (400, 800, 1600, 3200)
WORKS: Final[Mapping[str, Work]] = {
    work.name: work
    for work in (
        *(Work("jpeg", side, side, "thumbnail") for side in SIDES),
        *(Work("jpeg", side, side, "full") for side in SIDES),
        Work("raw", 1920, 1080, "thumbnail"),
        Work("raw", 1920, 1080, "full"),
    )
}
