"""Numbers of given widths, one after another, out of a part of a file."""

from stages.headers.boxes import bad
from stages.headers.header import Part


class Fields:
    """Reads forward through a part, and raises `FrameError` BAD_IMAGE where it ends too early."""

    def __init__(self, data: bytes | memoryview, part: Part) -> None:
        self._data = data
        self.at = part.start
        self._end = part.end

    def number(self, size_bytes: int) -> int:
        """Read an unsigned number, most significant byte first; of 0 bytes it is 0."""
        at = self.skip(size_bytes)
        return int.from_bytes(self._data[at : self.at], "big")

    def text(self, size_bytes: int) -> bytes:
        """Read bytes as they are."""
        at = self.skip(size_bytes)
        return bytes(self._data[at : self.at])

    def skip(self, size_bytes: int) -> int:
        """Go on; return where we were."""
        at = self.at
        self.at += size_bytes
        if self.at > self._end:
            raise bad("has a box that is too short for what it says")
        return at

    @property
    def left_bytes(self) -> int:
        """How many may still be read."""
        return self._end - self.at
