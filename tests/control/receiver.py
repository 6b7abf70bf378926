"""A real receiver of webhooks on loopback, that answers, fails, hangs, drips or lies as a script says."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SOON_S = 10.0

Behaviour = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Notes a request, and answers as the script says; 204 where it says nothing more."""

    server: "Receiver"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.path, dict(self.headers), json.loads(body)))
        self.close_connection = True
        if self.server.script:
            self.server.script.pop(0)(self)
        else:
            answer(204)(self)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""

    def raw(self, data: bytes) -> None:
        self.connection.sendall(data)


class Receiver(ThreadingHTTPServer):
    """A real server on loopback."""

    def __init__(self, *script: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = list(script)
        self.taken: list[tuple[str, dict[str, str], Any]] = []
        self.is_over = threading.Event()
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}/hooks/s3cret?key=hidden"

    @property
    def values(self) -> list[float]:
        return [body["alert"]["value"] for _, _, body in self.taken]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what is tested."""


def answer(status: int, *headers: str) -> Behaviour:
    lines = "".join(f"{header}\r\n" for header in headers)
    return lambda handler: handler.raw(f"HTTP/1.1 {status} Whatever\r\n{lines}Content-Length: 0\r\n\r\n".encode())


def reset(handler: Handler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def hang(handler: Handler) -> None:
    handler.server.is_over.wait(SOON_S)


def drip(handler: Handler) -> None:
    """Send a byte now and then: a limit on each wait alone would never end this."""
    for letter in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: " + b"z" * 10_000:
        if handler.server.is_over.wait(0.02):
            return
        handler.raw(bytes([letter]))


def endless_headers(handler: Handler) -> None:
    handler.raw(b"HTTP/1.1 200 OK\r\n")
    while not handler.server.is_over.is_set():
        handler.raw(b"X-More: and more\r\n" * 100)


def endless_interim(handler: Handler) -> None:
    while not handler.server.is_over.is_set():
        handler.raw(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)


def endless_body(handler: Handler) -> None:
    handler.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not handler.server.is_over.is_set():
        handler.raw(b"1000\r\n" + bytes(0x1000) + b"\r\n")


@contextmanager
def receiving(*script: Behaviour) -> Iterator[Receiver]:
    receiver = Receiver(*script)
    thread = threading.Thread(target=receiver.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.is_over.set()
        receiver.shutdown()
        thread.join()
        receiver.server_close()
