"""What the header of a picture says, whatever its format, and where in the file its parts lie."""

import msgspec

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Layout


class Part(msgspec.Struct, frozen=True):
    """A run of bytes of a file."""

    start: int
    end: int
    """Offset of the first byte behind it."""

    def of(self, data: bytes | memoryview) -> memoryview:
        """These bytes, not copied."""
        return memoryview(data)[self.start : self.end]


class Header(msgspec.Struct, frozen=True):
    """A picture as its header describes it."""

    width: int
    height: int
    layout: Layout
    """GRAY, RGB or RGBA, whatever its pixels are stored as."""
    orientation: int = 1
    """EXIF orientation, 1 to 8."""
    exif: Part | None = None
    """The TIFF block of the EXIF metadata."""


def damaged(format_name: str, what: str) -> FrameError:
    """Say what is wrong with a picture."""
    return FrameError(ErrorCode.BAD_IMAGE, f"{format_name} {what}")


def unsupported(format_name: str, what: str) -> FrameError:
    """Say what of a picture is not accepted."""
    return FrameError(ErrorCode.UNSUPPORTED_FORMAT, f"{format_name} {what}")
