"""Post: one HTTP request with a body, and the status of its answer. Every wait has one deadline, nothing is followed.

Only the head of the answer is read: what comes after it is nobody's business, and may be endless.
"""

import base64
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

import h11

HEAD_BYTES_MAX: Final = 16 * 1024
ADDRESSES_MAX: Final = 4
"""Of one name: tried in turn."""
RETRIED_STATUSES: Final = frozenset({408, 429})
"""Besides 5xx: too slow, too often."""
_PORTS: Final = {"http": 80, "https": 443}


class Refused(Exception):
    """The answer was no, and would be no again. The text is for people and tells no secret."""


class Unanswered(Exception):
    """No answer, or one that may be another next time. The text is for people and tells no secret."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to. As text it is shown without path, query and password: they may be secrets."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)
    authorization: str = field(repr=False)
    """Value of that header; empty where the URL has no user."""

    @classmethod
    def of(cls, url: str) -> "Target":
        """Read a URL. Raises ValueError, whose text does not contain it."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").encode("idna").decode(), parts.port
        except ValueError:
            raise ValueError("the webhook's URL cannot be read") from None
        if parts.scheme not in _PORTS or not host:
            raise ValueError("the webhook's URL must be http://HOST... or https://HOST...")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not path.isascii() or not path.isprintable() or " " in path:
            raise ValueError("the webhook's URL has letters that must be percent-encoded")
        authorization = ""
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = "Basic " + base64.b64encode(user.encode()).decode()
        return cls(parts.scheme, host, _PORTS[parts.scheme] if port is None else port, path, authorization)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port, as in the header of that name."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def post(target: Target, body: bytes, within_s: float) -> None:
    """Send JSON. Raises `Refused` or `Unanswered` unless the answer is 2xx.

    Nothing begins after `within_s`; only the look-up of the name, which the system bounds, may end later.
    """
    deadline_s = time.monotonic() + within_s
    try:
        with _connect(target, deadline_s) as connection:
            status = _exchange(target, connection, body, deadline_s)
    except TimeoutError:
        raise Unanswered(f"no answer within {within_s:g} s") from None
    except (OSError, h11.RemoteProtocolError) as error:
        raise Unanswered(f"{type(error).__name__}: {error}") from None
    if status in RETRIED_STATUSES or status >= 500:
        raise Unanswered(f"status {status}")
    if status >= 300:
        raise Refused(f"status {status}")


def _connect(target: Target, deadline_s: float) -> socket.socket:
    fault: OSError = ConnectionError("the name has no address")
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    for family, kind, protocol, _, address in found[:ADDRESSES_MAX]:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(_left_s(deadline_s))
            connection.connect(address)
            if target.scheme == "http":
                return connection
            context = ssl.create_default_context()
            # Of the deadline, not of the whole: connecting and reading the authorities have had their part.
            connection.settimeout(_left_s(deadline_s))
            return context.wrap_socket(connection, server_hostname=target.host)
        except OSError as error:
            connection.close()
            fault = error
    raise fault


def _exchange(target: Target, connection: socket.socket, body: bytes, deadline_s: float) -> int:
    protocol = h11.Connection(h11.CLIENT)
    headers = [
        ("Host", target.authority),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("User-Agent", "omnishotd"),
        ("Connection", "close"),
    ]
    if target.authorization:
        headers.append(("Authorization", target.authorization))
    request = h11.Request(method="POST", target=target.path, headers=headers)
    events = (request, h11.Data(data=body), h11.EndOfMessage())
    connection.settimeout(_left_s(deadline_s))
    connection.sendall(b"".join(protocol.send(event) or b"" for event in events))
    received_bytes = 0
    while True:
        event = protocol.next_event()
        if isinstance(event, h11.Response):
            return event.status_code
        if isinstance(event, h11.ConnectionClosed):
            raise ConnectionError("closed before an answer")
        if event is h11.NEED_DATA:
            if received_bytes > HEAD_BYTES_MAX:
                raise ConnectionError(f"more than {HEAD_BYTES_MAX} bytes before an answer")
            connection.settimeout(_left_s(deadline_s))
            data = connection.recv(HEAD_BYTES_MAX)
            received_bytes += len(data)
            protocol.receive_data(data)


def _left_s(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
