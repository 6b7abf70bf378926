"""The operators: one process that asks the control plane at a fixed rate and keeps subscribers of the feed.

It speaks HTTP and WebSocket by hand over plain sockets: a library would take more of the two cores than the control
plane it measures. Run as a child: `python -m perf.operator`.
"""

import base64
import contextlib
import os
import re
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Final

import msgspec

from perf.messages import OperatorOrder, OperatorRun

PATHS: Final = ("/health", "/api/metrics", "/health", "/api/services/health")
ANSWER_WITHIN_S: Final = 30.0
SUBSCRIBE: Final = b'{"type":"subscribe","channel":"metrics","interval_ms":1000}'


class OperatorFailed(Exception):
    """The control plane did not answer, or not as expected."""


@dataclass(slots=True)
class Asker:
    """A connection that is kept, on which one request after the other is made."""

    socket: socket.socket

    def ask(self, path: str, port: int) -> None:
        """Send a request and read its answer. Raises `OperatorFailed` for any other than 200."""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        received = b""
        while (length := _answer_bytes(received)) is None or len(received) < length:
            data = self.socket.recv(1 << 16)
            if not data:
                raise OperatorFailed(f"{path}: the connection was closed")
            received += data
        if not received.startswith(b"HTTP/1.1 200 "):
            raise OperatorFailed(f"{path}: {received.splitlines()[0].decode()}")


@dataclass(slots=True)
class Subscriber:
    """A connection to the feed."""

    socket: socket.socket
    received: bytearray = field(default_factory=bytearray)
    messages: int = 0

    def read(self) -> None:
        """Count the messages that came."""
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while data := self.socket.recv(1 << 18):
                self.received += data
        while (length := _frame_bytes(self.received)) is not None and len(self.received) >= length:
            self.messages += self.received[0] & 0x0F == 1
            del self.received[:length]


def _answer_bytes(received: bytes) -> int | None:
    """Length of the answer that begins here; None: not known yet."""
    head, separator, _ = received.partition(b"\r\n\r\n")
    found = re.search(rb"\r\ncontent-length: ([0-9]+)", head, re.IGNORECASE)
    return len(head) + 4 + int(found[1]) if separator and found else None


def _frame_bytes(data: bytearray) -> int | None:
    """Length of the WebSocket frame that begins here (RFC 6455, 5.2; a server does not mask); None: not known yet."""
    if len(data) < 2:
        return None
    length = data[1] & 0x7F
    if length < 126:
        return 2 + length
    size = 2 if length == 126 else 8
    return 2 + size + int.from_bytes(data[2 : 2 + size], "big") if len(data) >= 2 + size else None


def connect(port: int) -> socket.socket:
    """Connect to the control plane."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_WITHIN_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def subscribe(connection: socket.socket, port: int) -> Subscriber:
    """Make a connection a feed and subscribe to its figures. Raises `OperatorFailed`."""
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    subscriber = Subscriber(connection)
    while b"\r\n\r\n" not in subscriber.received:
        data = connection.recv(4096)
        if not data:
            raise OperatorFailed("the feed hung up during its handshake")
        subscriber.received += data
    head, _, rest = bytes(subscriber.received).partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101 "):
        raise OperatorFailed(f"/ws: {head.splitlines()[0].decode()}")
    subscriber.received = bytearray(rest)
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(SUBSCRIBE))
    connection.sendall(bytes([0x81, 0x80 | len(SUBSCRIBE)]) + mask + masked)
    return subscriber


def operate(order: OperatorOrder) -> OperatorRun:
    """Ask and listen. Raises `OperatorFailed`, OSError."""
    with contextlib.ExitStack() as connections:
        asker = Asker(connections.enter_context(connect(order.port)))
        # One after the other: only so many connections may wait without having asked for anything.
        subscribers = [
            subscribe(connections.enter_context(connect(order.port)), order.port) for _ in range(order.subscribers)
        ]
        return follow(order, asker, subscribers)


def follow(order: OperatorOrder, asker: Asker, subscribers: list[Subscriber]) -> OperatorRun:
    """Do so over connections that stand."""
    latency_us: dict[str, list[int]] = {path: [] for path in PATHS}
    began_s, began_cpu_ns = time.monotonic(), time.process_time_ns()
    until_s, heard_s, asked = began_s + order.seconds, began_s, 0
    while True:
        due_s = began_s + asked / order.requests_per_second if order.requests_per_second else heard_s + 1
        if due_s >= until_s:
            break
        time.sleep(max(due_s - time.monotonic(), 0.0))
        if order.requests_per_second:
            path = PATHS[asked % len(PATHS)]
            asker.ask(path, order.port)
            latency_us[path].append(int((time.monotonic() - due_s) * 1e6))
            asked += 1
        # Their messages wait in the kernel meanwhile: looking for each as it comes would cost us more than it tells.
        if time.monotonic() - heard_s >= 1:
            heard_s += 1
            for subscriber in subscribers:
                subscriber.read()
    cpu_us = (time.process_time_ns() - began_cpu_ns) // 1000
    for subscriber in subscribers:
        subscriber.read()
    return OperatorRun(latency_us, sum(subscriber.messages for subscriber in subscribers), cpu_us)


def main() -> None:
    """Take orders from stdin until it ends."""
    for line in sys.stdin.buffer:
        try:
            run = operate(msgspec.json.decode(line, type=OperatorOrder))
        except (OperatorFailed, OSError) as error:
            sys.exit(f"perf.operator: {error}")
        sys.stdout.buffer.write(msgspec.json.encode(run) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
