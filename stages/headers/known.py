"""Headers met lately: an encoder writes the same header before every picture of one size and quality.

What a header says depends on no byte behind it, so the same bytes mean the same again, and need no walk.
"""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

COUNT_MAX: Final = 64
LENGTHS_MAX: Final = 4
"""Lengths that are tried: the ones of a few encoders at work at the same time."""
HEADER_BYTES_MAX: Final = 2048
"""Longer ones carry metadata, which differ from picture to picture."""

Header = TypeVar("Header")


class KnownHeaders(Generic[Header]):
    """Remembers headers by their bytes."""

    def __init__(self) -> None:
        self._headers: OrderedDict[bytes, Header] = OrderedDict()
        self._lengths: list[int] = []
        """The one met last first."""

    def find(self, data: bytes | memoryview) -> Header | None:
        """Return what the header of `data` says, if it is known."""
        for length in self._lengths:
            header = self._headers.get(bytes(data[:length]))
            if header is not None:
                return header
        return None

    def add(self, header_bytes: bytes, header: Header) -> None:
        """Remember a header."""
        length = len(header_bytes)
        if length > HEADER_BYTES_MAX:
            return
        self._headers[header_bytes] = header
        if len(self._headers) > COUNT_MAX:
            self._headers.popitem(last=False)
        if length in self._lengths:
            self._lengths.remove(length)
        self._lengths = [length, *self._lengths][:LENGTHS_MAX]
