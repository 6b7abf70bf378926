"""Bounds of a picture: what is refused before any pixel exists."""

import msgspec

from ipc.errors import ErrorCode, FrameError


class Limits(msgspec.Struct, frozen=True):
    """How large a picture may be, coming in, in between and going out.

    `max_side` is at most 65500: what a JPEG can be.
    """

    max_side: int
    max_pixels: int

    def check(self, width: int, height: int, what: str = "picture") -> None:
        """Raise TOO_LARGE, naming the limit, where a picture of this size is over one."""
        for side, pixels in (("width", width), ("height", height)):
            if pixels > self.max_side:
                raise FrameError(ErrorCode.TOO_LARGE, f"{what}: {side} {pixels} is over max_side {self.max_side}")
        if width * height > self.max_pixels:
            raise FrameError(
                ErrorCode.TOO_LARGE, f"{what}: {width} x {height} pixels are over max_pixels {self.max_pixels}"
            )
