"""A producer on a unix socket that speaks ZMTP 3.1 (rfc.zeromq.org/spec/37) byte by byte, and need not keep to it."""

import socket
from pathlib import Path
from typing import Final, Self

GREETING: Final = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)
"""Signature, version 3.1, no security, filler."""
MORE, LARGE, COMMAND = 1, 2, 4
"""Flags of a frame."""
WITHIN_S: Final = 20.0


class RawProducer:
    """A connection that has shaken hands."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(WITHIN_S)
        self._socket.connect(str(path))
        self._received = b""
        self._socket.sendall(GREETING)
        self._read(len(GREETING))
        self.send(frame(b"\x05READY" + _property(b"Socket-Type", b"DEALER"), COMMAND))
        self.receive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are. Raises OSError where the other end has closed the connection."""
        self._socket.sendall(data)

    def send_until_dropped(self, data: bytes, bytes_max: int) -> bool:
        """Send the same again and again. True as soon as the other end has closed the connection."""
        try:
            for _ in range(bytes_max // len(data)):
                self.send(data)
        except ConnectionError:
            return True
        return False

    def send_message(self, *parts: bytes) -> None:
        """Send what is a message."""
        self.send(message(*parts))

    def receive(self) -> tuple[int, bytes]:
        """Wait for a frame: its flags, and what is in it. Raises EOFError where the connection was closed."""
        flags = self._read(1)[0]
        size = int.from_bytes(self._read(8 if flags & LARGE else 1), "big")
        return flags, self._read(size)

    def receive_message(self) -> list[bytes]:
        """Wait for a message; heartbeats are passed over."""
        parts = []
        while True:
            flags, body = self.receive()
            if flags & COMMAND:
                continue
            parts.append(body)
            if not flags & MORE:
                return parts

    def is_dropped(self) -> bool:
        """Wait for the other end to close the connection, whatever it says before. False if it does not."""
        try:
            while True:
                self.receive()
        except (EOFError, ConnectionError):
            return True
        except TimeoutError:
            return False

    def _read(self, size: int) -> bytes:
        while len(self._received) < size:
            data = self._socket.recv(1 << 16)
            if not data:
                raise EOFError("the connection was closed")
            self._received += data
        taken, self._received = self._received[:size], self._received[size:]
        return taken


def frame(body: bytes, flags: int = 0) -> bytes:
    """Write a frame as short as it can be."""
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return header(len(body), flags) + body


def header(size: int, flags: int = 0) -> bytes:
    """Write what stands before the body of a large frame."""
    return bytes([flags | LARGE]) + size.to_bytes(8, "big")


def message(*parts: bytes) -> bytes:
    """Write a message."""
    return b"".join(frame(part, MORE) for part in parts[:-1]) + frame(parts[-1])


def _property(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + len(value).to_bytes(4, "big") + value
