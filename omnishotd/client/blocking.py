"""`Client`: the daemon for programs that wait, or that hold futures."""

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, Literal, Self, TypeVar, Unpack

from omnishotd.client.errors import RequestTimeout
from omnishotd.client.images import Image
from omnishotd.client.lending import LentMemory
from omnishotd.client.messages import DaemonInfo, Pong, Result
from omnishotd.client.pending import Counters
from omnishotd.client.request import TimeLimit
from omnishotd.client.submission import ClientOptions, FrameOptions, Submitter

T = TypeVar("T")

GRACE_S: Final = 5.0
"""Beyond a request's time limit, before its own thread is held to have failed."""


class Client:
    """A connection to one daemon; may be shared by threads, not by processes.

    The connection is made, and made again, in the background: a daemon that is away shows as `RequestTimeout`.
    Callbacks of futures run on the client's own thread and should be short.
    """

    def __init__(self, endpoint: str | None = None, **options: Unpack[ClientOptions]) -> None:
        """Connect to `endpoint`; default `$OMNISHOTD_ENDPOINT`, else where a daemon with default settings listens."""
        self._submitter = Submitter(endpoint, options)
        self._window = threading.BoundedSemaphore(self._submitter.in_flight_max)
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

    def process(self, image: Image, **options: Unpack[FrameOptions]) -> Result:
        """Have a frame processed and wait for its pictures.

        Raises `FrameRefused` as the daemon answers, `RequestTimeout`, `ConnectionLost`, `ClientClosed`; ValueError and
        TypeError for arguments. An array's memory is borrowed until this returns.
        """
        self._submitter.check_may_wait()
        limit = self._submitter.start_limit(options)
        return _wait(self._in_window(limit, lambda: self._submitter.frame(image, options, limit, copies=False)), limit)

    def submit(self, image: Image, **options: Unpack[FrameOptions]) -> "Future[Result]":
        """Submit a frame and return its future; `cancel()` on it also cancels the frame at the daemon.

        Blocks while `in_flight_max` requests are without a reply: that is the back-pressure. What the caller could
        change (an array, a bytearray) is copied first. Raises as `process` does, for what is known before the reply.
        """
        limit = self._submitter.start_limit(options)
        return self._in_window(limit, lambda: self._submitter.frame(image, options, limit, copies=True))

    def lend(self, frame_bytes: int, *, count: int = 4) -> LentMemory:
        """Reserve memory to lend to the daemon, for frames of up to `frame_bytes`, `count` of them at a time.

        What lies there does not travel: raw pixels are read in place. Over a unix socket only. Raises `CannotLend`,
        ValueError.
        """
        self._submitter.check_process()
        return LentMemory(self._submitter, frame_bytes, count)

    def ping(self, timeout_s: float | None = None) -> Pong:
        """Ask whether the broker lives, and which life of it this is."""
        pong: Pong = self._ask("ping", timeout_s)
        return pong

    def info(self, timeout_s: float | None = None) -> DaemonInfo:
        """Ask what the daemon takes and makes."""
        info: DaemonInfo = self._ask("info", timeout_s)
        return info

    def cancel(self, request_id: str) -> None:
        """Cancel the request of this id: it ends with `Cancelled`, or with its result where that was on its way."""
        self._submitter.cancel(request_id)

    def counters(self) -> Counters:
        """Return what was counted since the client was made."""
        return self._submitter.counters()

    def close(self) -> None:
        """Close the connection; what is pending ends with `ClientClosed`. Returns within a few seconds."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _ask(self, op: Literal["ping", "info"], timeout_s: float | None) -> Any:
        self._submitter.check_may_wait()
        limit = self._submitter.start_limit({"timeout_s": timeout_s})
        return _wait(self._in_window(limit, lambda: self._submitter.ask(op, limit)), limit)

    def _in_window(self, limit: TimeLimit, submit: "Callable[[], Future[T]]") -> "Future[T]":
        """Wait for room, submit, and give the room back with the reply."""
        # The client's own thread makes room: it must not wait for it.
        patience_s = 0 if self._submitter.is_own_thread else limit.timeout_s
        if not self._window.acquire(timeout=patience_s):
            raise self._submitter.no_room(patience_s)
        try:
            future = submit()
        except BaseException:
            self._window.release()
            raise
        future.add_done_callback(lambda _: self._window.release())
        return future


def _wait(future: "Future[T]", limit: TimeLimit) -> T:
    patience_s = limit.timeout_s + GRACE_S
    try:
        return future.result(patience_s)
    except BaseException as error:
        # Interrupted, or the client's own thread is at fault. To a future that has ended this does nothing.
        if future.cancel() and isinstance(error, TimeoutError):
            raise RequestTimeout(f"the client's own thread gave no answer within {patience_s:g} s") from error
        raise
