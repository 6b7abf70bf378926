"""uvicorn inside our process: our socket, our signals, our limits."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_TIMEOUT_S: Final = 5.0
HEADERS_BYTES_MAX: Final = 16 * 1024
CONNECTIONS_MAX: Final = 128


class _ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection on which no request is being answered for `REQUEST_TIMEOUT_S`.

    uvicorn's own timer runs between requests, and the first byte of the next one stops it: a client that sends one byte
    a minute, of a request or of a body nobody asked for, would hold its place for good.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        self._receipt_timer = self.loop.call_later(REQUEST_TIMEOUT_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._receipt_timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._receipt_timer.cancel()
        self._receipt_timer = self.loop.call_later(REQUEST_TIMEOUT_S, self._give_up)
        super().on_response_complete()

    def _give_up(self) -> None:
        if self.conn.our_state not in {h11.SEND_RESPONSE, h11.SEND_BODY}:
            self.transport.close()


class Server(uvicorn.Server):
    """Serves on a socket that is already bound, until told to stop."""

    def __init__(self, app: ASGIApp, on_serving: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_ImpatientProtocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                # X-Forwarded-For would be believed from 127.0.0.1, which is everybody here.
                proxy_headers=False,
                limit_concurrency=CONNECTIONS_MAX,
                backlog=CONNECTIONS_MAX,
                timeout_keep_alive=int(REQUEST_TIMEOUT_S),
                timeout_graceful_shutdown=1,
                h11_max_incomplete_event_size=HEADERS_BYTES_MAX,
            )
        )
        self._on_serving = on_serving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, then say so."""
        await super().startup(sockets)
        self._on_serving()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the supervisor decides when this process ends."""
        yield

    def stop(self) -> None:
        """End in order: accept nothing new, finish what was begun."""
        self.should_exit = True
