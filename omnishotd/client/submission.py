"""What both clients do with a call before they wait: checks, names, headers, the way to the connection."""

import os
import random
import secrets
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from itertools import count
from typing import Any, Final, Literal, TypedDict

from omnishotd.client.connection import Connection
from omnishotd.client.curve import find_keys
from omnishotd.client.errors import ForkedClient, RequestTimeout
from omnishotd.client.images import Image, LayoutName, RawInput, prepare, say
from omnishotd.client.messages import Content, DaemonInfo, Pong, Result, check_name, encode_header
from omnishotd.client.outputs import Output, outputs_to_maps
from omnishotd.client.pending import OWN_ID_PREFIX, Counters, PendingTable
from omnishotd.client.request import Request, TimeLimit
from omnishotd.client.ring import LentImage
from omnishotd.runtime import default_endpoint

IN_FLIGHT_MAX: Final = 4096
TIMEOUT_S_MAX: Final = 86_400.0


class FrameOptions(TypedDict, total=False):
    """What may be said of a frame; all of it may be left out, but one of `preset` and `outputs` is needed."""

    preset: str | None
    """A preset of the daemon's configuration."""
    outputs: Output | Mapping[str, Any] | Sequence[Output | Mapping[str, Any]] | None
    """What to make of the frame: one output or up to 8."""
    input: RawInput | Mapping[str, Any] | None
    """Says that the image, a row of bytes, is raw pixels."""
    layout: LayoutName | None
    """Of an array of pixels; default by its channels: `GRAY`, `RGB`, `RGBA`. OpenCV's arrays are `BGR`."""
    page: int | None
    """Which picture of a file that has several, as an animation; from 0, the default."""
    priority: int | None
    """0 to 9, higher first."""
    deadline_ms: int | None
    """How long the frame may take from its arrival at the daemon."""
    stream: str | None
    """The source of frames that `on_full` counts in."""
    on_full: Literal["reject", "drop_oldest", "latest"] | None
    id: str | None
    """The request's name; default: one that is never used again."""
    timeout_s: float | None
    """How long to wait for the final reply, waits and new attempts included; default: the client's."""


class ClientOptions(TypedDict, total=False):
    """How a client behaves."""

    name: str | None
    """Stable name of this producer, the scope of its ids; default: a random one, kept while the client lives."""
    server_key: str | None
    """Over TCP, the daemon's public key, 40 characters; default `$OMNISHOTD_SERVER_KEY`."""
    key_file: str | os.PathLike[str] | None
    """Over TCP, the file of this producer's secret key; default `$OMNISHOTD_KEY_FILE`."""
    timeout_s: float
    """For requests that name none; default 30."""
    in_flight_max: int
    """Requests that may be without a final reply; a further one waits for room, within its time limit. Default 32."""
    retry_when_busy: bool
    """Wait and send again after BUSY and RATE_LIMITED, within the time limit. Default True."""
    payload_bytes_max: int
    """Longest image that is sent; default 64 MiB. A daemon drops the connection over one that is far too long."""
    reply_bytes_max: int
    """Longest picture that is taken; default 256 MiB."""


class Submitter:
    """A connection, and what is needed to put requests on it. Neither waits nor limits: its two clients do."""

    def __init__(self, endpoint: str | None, options: ClientOptions) -> None:
        _refuse_unknown(options, ClientOptions)
        chosen: Any = _DEFAULTS | options
        self.name = check_name("name", chosen["name"] or f"client-{secrets.token_hex(8)}")
        self._timeout_s = _check_timeout(chosen["timeout_s"])
        self.in_flight_max: int = chosen["in_flight_max"]
        if not 1 <= self.in_flight_max <= IN_FLIGHT_MAX:
            raise ValueError(f"in_flight_max: 1 to {IN_FLIGHT_MAX}, not {self.in_flight_max}")
        self.endpoint = endpoint or os.environ.get("OMNISHOTD_ENDPOINT") or default_endpoint(os.environ)
        self._retries_when_busy: bool = chosen["retry_when_busy"]
        self._payload_bytes_max: int = chosen["payload_bytes_max"]
        # A client that was given a name may be a program started anew: its numbers must not meet those of its past.
        self._prefix = secrets.token_hex(6)
        self._numbers = count(1)
        self._pid = os.getpid()
        table = PendingTable(self.name, self.endpoint, random.random)
        keys = find_keys(self.endpoint, chosen["server_key"], chosen["key_file"], os.environ)
        self._connection = Connection(self.endpoint, keys, table, self.in_flight_max, chosen["reply_bytes_max"])

    def start_limit(self, options: FrameOptions) -> TimeLimit:
        """Return a frame's time limit, from now on. Raises TypeError for an option that does not exist."""
        self.check_process()
        _refuse_unknown(options, FrameOptions)
        timeout_s = self.patience_s(options.get("timeout_s"))
        return TimeLimit(timeout_s, time.monotonic() + timeout_s)

    def patience_s(self, timeout_s: float | None) -> float:
        """Return how long a caller waits who says so, or says nothing."""
        return self._timeout_s if timeout_s is None else _check_timeout(timeout_s)

    def frame(self, image: Image, options: FrameOptions, limit: TimeLimit, *, copies: bool) -> "Future[Result]":
        """Submit a frame. Raises TypeError and ValueError that name the argument."""
        declared, layout, page = options.get("input"), options.get("layout"), options.get("page")
        outputs = options.get("outputs")
        header = {
            "outputs": None if outputs is None else outputs_to_maps(outputs),
        } | {key: options.get(key) for key in ("preset", "priority", "deadline_ms", "stream", "on_full")}
        if isinstance(image, LentImage):
            header["input"] = say(image.shape, declared, layout, page)
            return self._lend(image, options.get("id"), header, limit)
        submission = prepare(image, declared, layout, page, copies=copies)
        if len(submission.payload) > self._payload_bytes_max:
            told = f"{len(submission.payload)} bytes, at most {self._payload_bytes_max} are sent (payload_bytes_max)"
            raise ValueError(f"image: {told}")
        header["input"] = submission.input
        return self._submit(options.get("id"), header, submission.payload, limit, Result)

    def ask(self, op: Literal["ping", "info"], limit: TimeLimit) -> "Future[Any]":
        """Submit a request without an image."""
        return self._submit(None, {"op": op}, None, limit, Pong if op == "ping" else DaemonInfo)

    def cancel(self, request_id: str) -> None:
        """Ask for the cancellation of a request."""
        self.check_process()
        self._connection.cancel(request_id)

    def counters(self) -> Counters:
        """Return a copy of what was counted so far."""
        return self._connection.counters()

    def check_process(self) -> None:
        """Raise `ForkedClient` in another process than the one that made this."""
        if os.getpid() != self._pid:
            raise ForkedClient(f"made by process {self._pid}, used by {os.getpid()}: make a client in each process")

    def check_may_wait(self) -> None:
        """Raise where waiting for a reply would wait for ever, or until the time limit."""
        self.check_process()
        if self._connection.is_own_thread:
            raise RuntimeError("a future's callback must not wait for another reply: use submit there")

    def no_room(self, waited_s: float) -> RequestTimeout:
        """Say that as many requests as may be are in flight."""
        told = f"{self.in_flight_max} requests in flight (in_flight_max), no room within {waited_s:g} s"
        return RequestTimeout(f"{self.endpoint}: {told}")

    @property
    def is_own_thread(self) -> bool:
        """Whether the caller is a future's callback."""
        return self._connection.is_own_thread

    def close(self) -> None:
        """Close the connection. In a process that was forked off nothing is done: it is the parent's.

        The parent's lock may have been copied while it was held.
        """
        if os.getpid() == self._pid:
            self._connection.close()

    def _lend(
        self, image: LentImage, request_id: str | None, header: Mapping[str, Any], limit: TimeLimit
    ) -> "Future[Result]":
        """Submit a frame that lies in lent memory, which is free again when the request has ended."""
        place = image.submitted()
        try:
            future: Future[Result] = self._submit(request_id, {**header, "lent": place}, None, limit, Result)
        except BaseException:
            image.not_sent()
            raise
        future.add_done_callback(lambda _: image.ended())
        return future

    def _submit(
        self,
        request_id: str | None,
        header: Mapping[str, Any],
        payload: bytes | memoryview | None,
        limit: TimeLimit,
        expects: type[Content],
    ) -> "Future[Any]":
        name = f"{self._prefix}-{next(self._numbers)}" if request_id is None else check_name("id", request_id)
        if name.startswith(OWN_ID_PREFIX):
            raise ValueError(f"id: {name!r} begins with {OWN_ID_PREFIX}, which the client keeps for its own pings")
        return self._connection.submit(
            Request(
                id=name,
                header=encode_header({"id": name, "client": self.name, **header}),
                payload=payload,
                limit=limit,
                retry_when_busy=self._retries_when_busy,
                expects=expects,
            )
        )


_DEFAULTS: Final[ClientOptions] = {
    "name": None,
    "server_key": None,
    "key_file": None,
    "timeout_s": 30.0,
    "in_flight_max": 32,
    "retry_when_busy": True,
    "payload_bytes_max": 64 * 1024 * 1024,
    "reply_bytes_max": 256 * 1024 * 1024,
}


def _refuse_unknown(options: Mapping[str, object], kind: type[FrameOptions] | type[ClientOptions]) -> None:
    unknown = options.keys() - kind.__annotations__.keys()
    if unknown:
        raise TypeError(f"{', '.join(sorted(unknown))}: no such option")


def _check_timeout(timeout_s: float) -> float:
    if not 0 < timeout_s <= TIMEOUT_S_MAX:
        raise ValueError(f"timeout_s: over 0 and up to {TIMEOUT_S_MAX:g}, not {timeout_s!r}")
    return timeout_s
