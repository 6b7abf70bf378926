"""Message: a request as it goes over the wire, ready but for the frame's number."""

from typing import Final

from tests.zmtp import LARGE, MORE, frame, header

ID_CHARACTERS: Final = 8
"""The id is the frame's number in so many hexadecimal digits: replies keep their length, and are found by it."""


class Message:
    """A header, whose id is all zeros, and a payload where there is one, which are sent from where they lie."""

    def __init__(self, request: bytes, payload: bytes = b"") -> None:
        self._head = bytearray(frame(request, MORE if payload else 0))
        self._number_at = self._head.index(b"0" * ID_CHARACTERS)
        self.buffers: list[bytes | bytearray | memoryview] = [self._head]
        if payload:
            self._head += header(len(payload), LARGE)
            self.buffers.append(payload)
        self.bytes = len(self._head) + len(payload)

    def number(self, number: int) -> None:
        """Give it a frame's number."""
        self._head[self._number_at : self._number_at + ID_CHARACTERS] = b"%08x" % number
