"""A control plane as `omnishotd top` sees it: a real WebSocket and HTTP server that says what a test tells it to."""

import http
import json
import threading
from typing import Self

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from tests.omnishotd.cli.bodies import HEALTH, MEMORY, METRICS, SERVICES, Body
from tests.waiting import eventually

WITHIN_S = 10.0

WORD = "correct-horse-battery-staple-0123456789"
"""A token."""


class Peer:
    """Answers subscriptions with the bodies it holds; each `tell` goes to all who subscribed to its channel."""

    def __init__(self, port: int = 0, token: str | None = None) -> None:
        self.health: Body = HEALTH
        self.states: dict[str, Body] = {"metrics": METRICS, "services": SERVICES, "memory": MEMORY}
        self.news: dict[str, list[Body]] = {"alerts": [], "events": []}
        self.orders: list[Body] = []
        """What was subscribed to, in order."""
        self.error = "no such path"
        self.has_feed = True
        self.location: str | None = None
        """Where everybody is sent, instead of being answered."""
        self.unknown_channels: set[str] = set()
        self.token = token
        self.shown_tokens: list[str | None] = []
        """Of all requests, as their headers say it."""
        self._subscribers: dict[str, dict[ServerConnection, int]] = {}
        self._lock = threading.Lock()
        self._server: Server = serve(
            self._handle,
            "127.0.0.1",
            port,
            process_request=self._answer,
            compression=None,
        )
        self.port: int = self._server.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening and close all connections."""
        self._server.shutdown()
        self._thread.join(WITHIN_S)

    def drop(self) -> None:
        """Close the connections, and go on listening."""
        with self._lock:
            connections = {connection for of_channel in self._subscribers.values() for connection in of_channel}
        for connection in connections:
            connection.close(1001, "restarting")

    def await_subscriber(self, channel: str = "events") -> None:
        """Wait until somebody reads; `events` is asked for last."""
        eventually(lambda: self._subscribers.get(channel), within_s=WITHIN_S, what=f"a subscriber of {channel}")

    def tell(self, channel: str, data: Body) -> None:
        """Send one message; it is the state from now on."""
        with self._lock:
            if channel in self.states:
                self.states[channel] = data
            else:
                self.news[channel].append(data)
            for connection in list(self._subscribers.get(channel, {})):
                self._send(connection, channel, data)

    def tell_raw(self, content: str) -> None:
        """Send something that is no message of ours."""
        with self._lock:
            for connection in list(self._subscribers.get("events", {})):
                connection.send(content)

    def _answer(self, _: ServerConnection, request: Request) -> Response | None:
        self.shown_tokens.append(request.headers.get("Authorization"))
        if self.token is not None and self.shown_tokens[-1] != f"Bearer {self.token}":
            return _json(http.HTTPStatus.UNAUTHORIZED, {"error": "a token is needed"})
        if self.location is not None:
            found = http.HTTPStatus.TEMPORARY_REDIRECT
            return Response(found.value, found.phrase, Headers({"Location": self.location, "Content-Length": "0"}))
        if request.path == "/ws" and self.has_feed:
            return None
        if request.path == "/health":
            return _json(http.HTTPStatus.OK, self.health)
        return _json(http.HTTPStatus.NOT_FOUND, {"error": self.error})

    def _handle(self, connection: ServerConnection) -> None:
        for content in connection:
            order = json.loads(content)
            with self._lock:
                self.orders.append(order)
                self._subscribe(connection, order["channel"])
        with self._lock:
            for subscribers in self._subscribers.values():
                subscribers.pop(connection, None)

    def _subscribe(self, connection: ServerConnection, channel: str) -> None:
        if channel in self.unknown_channels:
            connection.send(json.dumps({"type": "error", "message": f"no channel {channel}"}))
            return
        snapshot = self.news.get(channel, [])
        connection.send(json.dumps({"type": "subscribed", "channel": channel, "snapshot": snapshot}))
        self._subscribers.setdefault(channel, {})[connection] = 0
        if channel in self.states:
            self._send(connection, channel, self.states[channel])

    def _send(self, connection: ServerConnection, channel: str, data: Body) -> None:
        self._subscribers[channel][connection] += 1
        connection.send(json.dumps({"type": channel, "seq": self._subscribers[channel][connection], "data": data}))


def _json(status: http.HTTPStatus, body: Body) -> Response:
    content = json.dumps(body).encode()
    headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(content)), "Connection": "close"})
    return Response(status.value, status.phrase, headers, content)
