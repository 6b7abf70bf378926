"""The feed: a thread that reads a control plane's WebSocket, over as many connections as it takes."""

import itertools
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

import msgspec
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from omnishotd.cli.access import Access
from omnishotd.cli.figures import Health
from omnishotd.cli.program import Failure
from omnishotd.cli.snapshot import NEWS_CHANNELS, STATE_CHANNELS, Snapshot

CONNECT_SECONDS_MAX: Final = 5.0
CLOSE_SECONDS_MAX: Final = 1.0
PING_SECONDS: Final = 5.0
SILENCE_SECONDS_MAX: Final = 10.0
"""Beyond three intervals; then the connection is made anew."""

HEALTH_SECONDS_MAX: Final = 2.0
HEALTH_INTERVAL_S: Final = 1.0
MEMORY_INTERVAL_S: Final = 2.0
"""The daemon takes these figures every 2 s: asked more often it has nothing new to say."""

_PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Between tries to connect; the last one from then on."""

# What the library says in its log would be written over the screen.
_log = logging.getLogger("omnishotd.top")
_log.addHandler(logging.NullHandler())
_log.propagate = False


class Feed:
    """Keeps a snapshot of a daemon up to date while it is entered.

    `notify` is called from the feed's thread whenever the snapshot is another.
    """

    def __init__(self, access: Access, interval_s: float, notify: Callable[[], None] = lambda: None) -> None:
        self._access = access
        self._interval_s = interval_s
        self._notify = notify
        self._snapshot = Snapshot()
        self._fault: Exception | None = None
        self._changed = threading.Condition()
        self._is_closing = threading.Event()
        self._connection: ClientConnection | None = None
        self._health_asked_at_s = 0.0
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closing.set()
        connection = self._connection
        if connection is not None:
            connection.close()
        # One that is just being made ends within CONNECT_SECONDS_MAX by itself; nobody has to wait for it.
        self._thread.join(CLOSE_SECONDS_MAX)

    @property
    def snapshot(self) -> Snapshot:
        """What is known now. Raises what the thread died of, if it did."""
        if self._fault is not None:
            raise self._fault
        return self._snapshot

    def wait_until(self, is_met: Callable[[Snapshot], bool], timeout_s: float) -> Snapshot:
        """Wait until the snapshot is as wanted, but no longer than that. Returns it, as wanted or not."""
        with self._changed:
            self._changed.wait_for(lambda: self._fault is not None or is_met(self._snapshot), timeout_s)
        return self.snapshot

    def _run(self) -> None:
        pauses = _pauses()
        try:
            while not self._is_closing.is_set():
                failure = self._connect_and_read()
                if self._snapshot.is_complete:
                    pauses = _pauses()
                now_s, pause_s = time.monotonic(), next(pauses)
                is_refused = failure.status == os.EX_NOPERM
                self._keep(self._snapshot.disconnected(now_s, failure.message, now_s + pause_s, is_refused))
                self._is_closing.wait(pause_s)
        except Exception as error:  # noqa: BLE001 - ours to repair: it is raised again where the snapshot is read
            self._fault = error
            self._keep(self._snapshot)

    def _connect_and_read(self) -> Failure:
        """Read until the connection ends; return why it did."""
        try:
            with self._connected() as connection:
                self._read(connection)
        except Failure as failure:
            return failure
        except InvalidStatus as error:
            return self._access.refusal(self._path("ws"), error.response.status_code, bytes(error.response.body or b""))
        except ConnectionClosed as error:
            return _unavailable(_closed(error))
        except TimeoutError:
            return _unavailable("no answer in time")
        except msgspec.DecodeError as error:
            return _unavailable(f"something answers, but not as omnishotd does: {error}")
        except OSError as error:
            return _unavailable(f"no answer: {error.strerror or error}")
        # A ValueError is what the library makes of a redirection.
        except (EOFError, WebSocketException, ValueError) as error:
            return _unavailable(f"no answer: {error}")
        finally:
            self._connection = None
        return _unavailable("closed")

    @contextmanager
    def _connected(self) -> Iterator[ClientConnection]:
        url = self._access.url
        is_secure = url.scheme == "https"
        credentials = self._access.credentials()
        address = (str(url.hostname), url.port or (443 if is_secure else 80))
        # With a socket of ours the library knows no proxies and follows nowhere: nobody else gets the token.
        with (
            socket.create_connection(address, CONNECT_SECONDS_MAX) as made,
            connect(
                url._replace(
                    scheme="wss" if is_secure else "ws", path=self._path("ws"), query="", fragment=""
                ).geturl(),
                sock=made,
                additional_headers=credentials,
                compression=None,
                open_timeout=CONNECT_SECONDS_MAX,
                ping_interval=PING_SECONDS,
                ping_timeout=PING_SECONDS,
                close_timeout=CLOSE_SECONDS_MAX,
                logger=_log,
            ) as connection,
        ):
            self._connection = connection
            yield connection

    def _read(self, connection: ClientConnection) -> None:
        for channel in STATE_CHANNELS:
            interval_s = max(self._interval_s, MEMORY_INTERVAL_S) if channel == "memory" else self._interval_s
            order = {"type": "subscribe", "channel": channel, "interval_ms": round(interval_s * 1000)}
            connection.send(json.dumps(order))
        for channel in NEWS_CHANNELS:
            connection.send(json.dumps({"type": "subscribe", "channel": channel}))
        self._keep(self._snapshot.connected(time.monotonic()))
        while not self._is_closing.is_set():
            content = connection.recv(timeout=3 * self._interval_s + SILENCE_SECONDS_MAX)
            self._keep(self._with_health(self._snapshot.told(content, time.monotonic())))

    def _with_health(self, snapshot: Snapshot) -> Snapshot:
        """Ask for the checks after the services have been told; at once, if the state is another than before."""
        if snapshot.services is None or snapshot.services is self._snapshot.services:
            return snapshot
        now_s = time.monotonic()
        is_known = snapshot.health is not None and snapshot.health.status == snapshot.services.status
        if is_known and now_s - self._health_asked_at_s < HEALTH_INTERVAL_S:
            return snapshot
        self._health_asked_at_s = now_s
        try:
            return replace(snapshot, health=ask_health(self._access, HEALTH_SECONDS_MAX))
        except Failure:
            # The feed itself still speaks; what it says is worth more than why this question failed.
            return snapshot

    def _path(self, name: str) -> str:
        return f"{self._access.url.path.rstrip('/')}/{name}"

    def _keep(self, snapshot: Snapshot) -> None:
        with self._changed:
            self._snapshot = snapshot
            self._changed.notify_all()
        self._notify()


def ask_health(access: Access, timeout_s: float) -> Health:
    """Ask for `/health`. Raises Failure, as `Access.ask` does."""
    body = access.ask(f"{access.url.path.rstrip('/')}/health", timeout_s, accepted=(200, 503))
    try:
        return msgspec.json.decode(body, type=Health)
    except msgspec.DecodeError as error:
        raise _unavailable("something answers, but not as omnishotd does") from error


def _pauses() -> Iterator[float]:
    return itertools.chain(_PAUSES_S, itertools.repeat(_PAUSES_S[-1]))


def _closed(error: ConnectionClosed) -> str:
    if error.rcvd is None:
        return "the connection is lost"
    return f"closed by the daemon: {error.rcvd.reason or error.rcvd.code}"


def _unavailable(message: str) -> Failure:
    return Failure(message, os.EX_UNAVAILABLE)
