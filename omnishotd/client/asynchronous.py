"""`AsyncClient`: the daemon for programs that run on asyncio.

It stands on the same thread and the same table as `Client`: what is sent again and when is subtle enough to be written
once, zmq.asyncio hides a full socket behind a queue of its own, and a reply costs one wake-up of the loop either way.
"""

import asyncio
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal, Self, TypeVar, Unpack

from omnishotd.client.images import Image
from omnishotd.client.lending import AsyncLentMemory
from omnishotd.client.messages import DaemonInfo, Pong, Result
from omnishotd.client.pending import Counters
from omnishotd.client.request import TimeLimit
from omnishotd.client.submission import ClientOptions, FrameOptions, Submitter

T = TypeVar("T")


class AsyncClient:
    """A connection to one daemon, for one event loop. Cancelling a task that waits for a reply cancels its frame."""

    def __init__(self, endpoint: str | None = None, **options: Unpack[ClientOptions]) -> None:
        """Connect to `endpoint`; default `$OMNISHOTD_ENDPOINT`, else where a daemon with default settings listens."""
        self._submitter = Submitter(endpoint, options)
        self._window = asyncio.Semaphore(self._submitter.in_flight_max)
        # Also when nobody closes it: at the latest when the interpreter ends.
        self._finalizer = weakref.finalize(self, self._submitter.close)

    @property
    def endpoint(self) -> str:
        """Address of the daemon."""
        return self._submitter.endpoint

    @property
    def name(self) -> str:
        """Name of this producer, the scope of its requests' ids."""
        return self._submitter.name

    async def process(self, image: Image, **options: Unpack[FrameOptions]) -> Result:
        """Have a frame processed; as `Client.process`. An array's memory is borrowed until this returns.

        Waits for room while `in_flight_max` requests are without a reply; `asyncio.gather` over many is fine.
        """
        limit = self._submitter.start_limit(options)
        return await self._reply(limit, lambda: self._submitter.frame(image, options, limit, copies=False))

    def lend(self, frame_bytes: int, *, count: int = 4) -> AsyncLentMemory:
        """Reserve memory to lend to the daemon; as `Client.lend`."""
        self._submitter.check_process()
        return AsyncLentMemory(self._submitter, frame_bytes, count)

    async def ping(self, timeout_s: float | None = None) -> Pong:
        """Ask whether the broker lives, and which life of it this is."""
        pong: Pong = await self._ask("ping", timeout_s)
        return pong

    async def info(self, timeout_s: float | None = None) -> DaemonInfo:
        """Ask what the daemon takes and makes."""
        info: DaemonInfo = await self._ask("info", timeout_s)
        return info

    def cancel(self, request_id: str) -> None:
        """Cancel the request of this id: it ends with `Cancelled`, or with its result where that was on its way."""
        self._submitter.cancel(request_id)

    def counters(self) -> Counters:
        """Return what was counted since the client was made."""
        return self._submitter.counters()

    async def close(self) -> None:
        """Close the connection; what is pending ends with `ClientClosed`. Returns within a few seconds."""
        await asyncio.to_thread(self._finalizer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def _ask(self, op: Literal["ping", "info"], timeout_s: float | None) -> Any:
        limit = self._submitter.start_limit({"timeout_s": timeout_s})
        return await self._reply(limit, lambda: self._submitter.ask(op, limit))

    async def _reply(self, limit: TimeLimit, submit: "Callable[[], Future[T]]") -> T:
        try:
            async with asyncio.timeout(limit.timeout_s):
                await self._window.acquire()
        except TimeoutError:
            raise self._submitter.no_room(limit.timeout_s) from None
        try:
            # A cancelled task cancels this future, whose callback cancels the frame.
            return await asyncio.wrap_future(submit())
        finally:
            self._window.release()
