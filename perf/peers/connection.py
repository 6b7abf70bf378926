"""Connection: a client's end of HTTP/1.1 over a plain socket that stays open."""

import re
import socket
import struct
from typing import Final

WITHIN_S: Final = 30
"""For connecting, and for each piece of a request or an answer."""
ANSWER_BYTES_MAX: Final = 64 << 20
COMPLAINT_BYTES_MAX: Final = 600

_ROOM_BYTES: Final = 1 << 16
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


class LoadFailed(Exception):
    """The server did not answer, or not as expected."""


class Connection:
    """A connection with at most one request on its way."""

    def __init__(self, address: str, head: bytes, body: bytes) -> None:
        self._socket = connect(address)
        self._request = (head, body) if body else (head,)
        self._request_bytes = len(head) + len(body)
        self._room(_ROOM_BYTES)
        self._filled = 0
        self._head = b""
        """Of the last answer, and how long its body was: the next one's is mostly the same."""
        self._body_bytes = 0
        self.since_ns = 0

    def fileno(self) -> int:
        """Its descriptor, to be waited for."""
        return self._socket.fileno()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def ask(self, since_ns: int) -> None:
        """Send a request, which is counted from `since_ns`. Raises `LoadFailed`."""
        self.since_ns = since_ns
        self._filled = 0
        try:
            sent = self._socket.sendmsg(self._request)
            if sent < self._request_bytes:
                self._socket.sendall(memoryview(b"".join(self._request))[sent:])
        except OSError as error:
            raise LoadFailed(f"the server does not take requests any more: {error}") from None

    def read(self) -> bool:
        """Read what has come, and wait for the rest once it has begun. Returns whether it has. Raises `LoadFailed`."""
        self._receive(self._view[self._filled :] if self._filled else self._view, 0)
        if not (self._head and self._answer.startswith(self._head)) and not self._read_head():
            return False
        needed = len(self._head) + self._body_bytes
        if needed > len(self._answer):
            received = bytes(self._view[: self._filled])
            self._room(needed)
            self._view[: len(received)] = received
        if self._filled < needed:
            self._receive(self._view[self._filled : needed], socket.MSG_WAITALL)
        if self._filled != needed:
            raise LoadFailed(f"the server answered with {self._filled} bytes in place of {needed}")
        return True

    @property
    def picture(self) -> bytes:
        """The last answer's body."""
        return bytes(self._view[len(self._head) : self._filled])

    def is_same(self, picture: bytes) -> bool:
        """Whether the last answer's body is this one."""
        return self._body_bytes == len(picture) and self._answer.startswith(picture, len(self._head))

    def _room(self, size_bytes: int) -> None:
        self._answer = bytearray(size_bytes)
        self._view = memoryview(self._answer)

    def _receive(self, room: memoryview, flags: int) -> None:
        try:
            received = self._socket.recv_into(room, 0, flags)
        except BlockingIOError:
            raise LoadFailed(f"the server said nothing for {WITHIN_S} s") from None
        except OSError as error:
            raise LoadFailed(f"the connection broke: {error}") from None
        if not received:
            raise LoadFailed("the server closed the connection")
        self._filled += received

    def _read_head(self) -> bool:
        end = self._answer.find(b"\r\n\r\n", 0, self._filled)
        if end < 0:
            return False
        found = _LENGTH.search(self._answer, 0, end)
        if not self._answer.startswith(b"HTTP/1.1 200 "):
            self._complain(end + 4 + int(found[1]) if found else end + 4)
        self._head, self._body_bytes = bytes(self._view[: end + 4]), int(found[1]) if found else 0
        if not 0 < self._body_bytes <= ANSWER_BYTES_MAX:
            raise LoadFailed(f"the server announced no picture, or one of more than {ANSWER_BYTES_MAX} bytes")
        return True

    def _complain(self, answer_bytes: int) -> None:
        """Raise `LoadFailed` with the beginning of an answer that is no picture."""
        needed = min(answer_bytes, COMPLAINT_BYTES_MAX)
        if self._filled < needed:
            self._receive(self._view[self._filled : needed], socket.MSG_WAITALL)
        said = bytes(self._view[:needed]).decode(errors="replace")
        raise LoadFailed(f"the server answered {' '.join(said.split())}")


def connect(address: str) -> socket.socket:
    """Connect to `HOST:PORT` or to a unix socket's path."""
    if address.startswith("/"):
        connected = socket.socket(socket.AF_UNIX)
    else:
        connected = socket.socket(socket.AF_INET)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # By the kernel: Python's own timeouts are a call more for each one made.
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connected.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", WITHIN_S, 0))
    host, _, port = address.rpartition(":")
    connected.connect(address if address.startswith("/") else (host, int(port)))
    return connected
