"""uvicorn inside our process: our socket, our signals, our limits."""

import asyncio
import contextlib
import functools
import logging
import resource
import socket
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn

from control.app import ControlPlane
from control.feed import SUBSCRIBERS_MAX
from control.http_connection import FAREWELLS_MAX, IDLE_TIMEOUT_S, HttpConnection, Shared
from control.places import PLACES_MAX, Places

HEAD_BYTES_MAX: Final = 24 * 1024
"""Of a request that has not arrived in full; of one that has, see `control.guard`."""
ACCEPTED_AT_ONCE: Final = PLACES_MAX // 2
"""Who has sent a request with his connection is heard before as many others have come as would take his place."""
BACKLOG: Final = 1024
"""Connections that the kernel keeps for us."""
OTHER_DESCRIPTORS: Final = PLACES_MAX + ACCEPTED_AT_ONCE + FAREWELLS_MAX + 64
"""What may be open besides subscribers, with some for sockets and files of our own."""
TICK_S: Final = 1.0
"""Responses tell the time of day, to the second."""

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Serves on a socket that is already bound, until told to stop."""

    def __init__(self, plane: ControlPlane, on_serving: Callable[[], None], connections_max: int = PLACES_MAX) -> None:
        self._shared = Shared(plane, Places(connections_max), set())
        super().__init__(
            uvicorn.Config(
                plane,
                http=functools.partial(HttpConnection, self._shared),  # type: ignore[arg-type]  # it is only called
                # The way to the feed is ours.
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
                backlog=ACCEPTED_AT_ONCE,
                # Ours comes first.
                timeout_keep_alive=int(IDLE_TIMEOUT_S) * 2,
                timeout_graceful_shutdown=1,
                h11_max_incomplete_event_size=HEAD_BYTES_MAX,
            )
        )
        self._on_serving = on_serving
        self._is_stopped = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, then say so."""
        permitted = permit_descriptors(SUBSCRIBERS_MAX + OTHER_DESCRIPTORS)
        feed = self._shared.plane.feed
        feed.subscribers_max = min(feed.subscribers_max, max(permitted - OTHER_DESCRIPTORS, 0))
        if feed.subscribers_max < SUBSCRIBERS_MAX:
            log.warning("room for %d subscribers only: %d descriptors are allowed", feed.subscribers_max, permitted)
        await super().startup(sockets)
        for listener in sockets or []:
            # Again: asyncio takes its number for both, how many the kernel keeps and how many it accepts at once.
            listener.listen(BACKLOG)
        self._on_serving()

    async def main_loop(self) -> None:
        """Serve until told to stop, and stop at once then. uvicorn's own turns ten times a second, and looks."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_stopped.wait(), TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all connections; where there is none, without the tenth of a second that uvicorn gives them."""
        feeds = list(self._shared.feeds)
        for connection in feeds:
            connection.shutdown()
        if feeds or self.server_state.connections:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the supervisor decides when this process ends."""
        yield

    def stop(self) -> None:
        """End in order: accept nothing new, finish what was begun."""
        self.should_exit = True
        self._is_stopped.set()


def permit_descriptors(wanted: int) -> int:
    """Let this process open so many files and sockets, as far as the host lets it. Returns how many it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return soft
    permitted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (permitted, hard))
    return permitted
