"""Dealer: a producer's end of a unix socket that speaks ZMTP 3.1 (rfc.zeromq.org/spec/37) in the caller's thread.

libzmq's own DEALER has a thread behind it and takes two to three times the processor time for a frame, on the cores
whose work is measured. The daemon sees the same bytes.
"""

import socket
import struct
from collections.abc import Sequence
from typing import Final, Self

from tests.zmtp import COMMAND, GREETING, LARGE, MORE, frame

WITHIN_S: Final = 30
MESSAGE_BYTES_MAX: Final = 8 << 20
"""Of an answer."""

_READY: Final = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
_PING: Final = b"\x04PING"
_PONG: Final = b"\x04PONG"
_PING_HEAD_BYTES: Final = 7
"""Of the command: its name, and how long the one who asks will wait. What follows is sent back."""


class ConnectionFailed(Exception):
    """The other end closed the connection, said nothing for long, or sent more than there is room for."""


class Dealer:
    """A connection that has shaken hands."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # By the kernel: Python's own timeouts are a call more for each one made.
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", WITHIN_S, 0))
        self._room = bytearray(MESSAGE_BYTES_MAX)
        self._view = memoryview(self._room)
        self._begin = self._end = 0
        self._socket.connect(path)
        self._socket.sendall(GREETING)
        self._take(len(GREETING))
        self._socket.sendall(frame(_READY, COMMAND))
        self._frame()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._view.release()
        self._socket.close()

    def fileno(self) -> int:
        """Its descriptor, to be waited for; not while `is_waiting` says that something is here already."""
        return self._socket.fileno()

    @property
    def is_waiting(self) -> bool:
        """Whether something was received that has not been asked for."""
        return self._begin < self._end

    def send(self, buffers: Sequence[bytes | bytearray | memoryview], total_bytes: int) -> None:
        """Send buffers that are a message, frames' heads and all, without copying them. Raises `ConnectionFailed`."""
        try:
            sent = self._socket.sendmsg(buffers)
        except OSError as error:
            raise ConnectionFailed(f"the daemon does not take frames any more: {error}") from None
        if sent < total_bytes:
            raise ConnectionFailed(f"the daemon did not take a frame within {WITHIN_S} s")

    def receive(self) -> tuple[bytes, memoryview]:
        """Wait for a message of one part or two: the first, and a view of the second, valid until the next call.

        Raises `ConnectionFailed`.
        """
        flags, begin, end = self._frame()
        head = bytes(self._view[begin:end])
        if flags & MORE:
            flags, begin, end = self._frame()
            if flags & MORE:
                raise ConnectionFailed("the daemon answered with more pictures than were asked for")
            return head, self._view[begin:end]
        return head, self._view[:0]

    def _frame(self) -> tuple[int, int, int]:
        """Flags of the next frame that is no ping, and where it begins and ends."""
        while True:
            at = self._take(2)
            flags, size = self._room[at], self._room[at + 1]
            if flags & LARGE:
                at = self._take(7)
                size = size << 56 | int.from_bytes(self._view[at : at + 7], "big")
            at = self._take(size)
            if not (flags & COMMAND and self._room.startswith(_PING, at)):
                return flags, at, at + size
            self._socket.sendall(frame(_PONG + bytes(self._view[at + _PING_HEAD_BYTES : at + size]), COMMAND))

    def _take(self, size: int) -> int:
        """Have so many bytes here, and return where they begin."""
        if self._end - self._begin < size:
            self._fill(size)
        begin = self._begin
        self._begin = begin + size
        return begin

    def _fill(self, size: int) -> None:
        held = self._end - self._begin
        if size > MESSAGE_BYTES_MAX:
            raise ConnectionFailed(f"the daemon answered with {size} bytes, there is room for {MESSAGE_BYTES_MAX}")
        if held == 0 or self._begin + size > MESSAGE_BYTES_MAX:
            self._room[:held] = self._room[self._begin : self._end]
            self._begin, self._end = 0, held
        while self._end - self._begin < size:
            try:
                received = self._socket.recv_into(self._view[self._end :])
            except BlockingIOError:
                raise ConnectionFailed(f"no answer within {WITHIN_S} s") from None
            except OSError as error:
                raise ConnectionFailed(f"the connection broke: {error}") from None
            if not received:
                raise ConnectionFailed("the daemon closed the connection")
            self._end += received
