"""Requests without a final reply, and what is to be done about each of them. Pure: no sockets, no clocks, no threads.

The daemon answers a request on the connection that sent it last, and a broker that died has forgotten all it held. So a
request belongs to a *link*: one connection to one life of the broker (its epoch). A link is up when the first `ping` on
a new connection has been answered. When it is lost, by a disconnect or by another epoch in a later pong, what was out
on it goes out once more on the next one, under the same id: the daemon joins or repeats what it knows already.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from ipc.errors import ErrorCode
from omnishotd.client.errors import (
    Cancelled,
    ClientClosed,
    ConnectionLost,
    FrameRefused,
    OmnishotError,
    RequestTimeout,
    UnreadableReply,
)
from omnishotd.client.messages import Content, Pong, Reply, encode_header
from omnishotd.client.pace import Pace
from omnishotd.client.request import Event, Phase, Request

PING_INTERVAL_S: Final = 1.0
REST_DEFAULT_S: Final = 0.1
"""Before trying again where the daemon did not say when."""
REST_MIN_S: Final = 0.005
LOSSES_SUSPECT: Final = 2
"""Links lost with a request out on them, from which on it goes out alone. It may be the one that breaks them (far too
large, or deadly to the broker), and those beside it must not be given up with it."""
LOSSES_MAX: Final = 5
"""Links lost with a request out on them, at which it is given up."""
CONTROLS_MAX: Final = 256
OWN_ID_PREFIX: Final = "~"
"""Of the ids of our own pings; no request's id may begin with it."""

_LATER: Final = frozenset({ErrorCode.BUSY, ErrorCode.RATE_LIMITED})


class LinkState(Enum):
    """How far the way to the broker is known to be good."""

    DOWN = auto()
    GREETING = auto()
    """Connected; the first ping is not answered yet."""
    UP = auto()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to be sent. `request` is None for a ping or a cancel of our own."""

    header: bytes
    payload: bytes | memoryview | None = None
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A request's end."""

    id: str
    outcome: Content | OmnishotError


@dataclass(slots=True)
class Counters:
    """What happened since the client was made."""

    links: int = 0
    """Links that came up: 1 where nothing was ever lost."""
    sent: int = 0
    """Requests handed to ZeroMQ, those that were sent again counted again."""
    resent: int = 0
    """Requests to be sent again because a link was lost."""
    rests: int = 0
    """Times a request waited because the daemon was busy."""
    replies_ignored: int = 0
    """Replies to requests that had ended already, or to none."""


class PendingTable:
    """Every request without a final reply. `client` is the producer's name, `endpoint` is for messages.

    `jitter` gives numbers from 0 to 1; times are seconds on one monotonic clock of the caller's.
    """

    def __init__(self, client: str, endpoint: str, jitter: Callable[[], float]) -> None:
        self._client = client
        self._endpoint = endpoint
        self._jitter = jitter
        self._pending: dict[str, Request] = {}
        self._waiting: dict[str, Request] = {}
        """Those that are WAITING, in the order they are to be sent: a set with an order."""
        self._suspects: set[str] = set()
        self._controls: deque[Outgoing] = deque(maxlen=CONTROLS_MAX)
        self._link = LinkState.DOWN
        self._epoch: str | None = None
        self._refusal = ""
        """Why the last handshake failed; empty where none has since a connection stood."""
        self._connection = 0
        self._pace = Pace()
        self._ping_s = math.inf
        self._wake_s = math.inf
        """No later than the earliest time at which `elapse` has something to do."""
        self.counters = Counters()

    def submit(self, request: Request) -> None:
        """Take a new request."""
        self._pending[request.id] = request
        self._waiting[request.id] = request
        self._wake_by(request.limit.deadline_s)

    def cancel(self, request_id: str) -> list[Finished]:
        """Ask the daemon to cancel a request that is out; its reply ends it. One that is not out ends here and now."""
        request = self._pending.get(request_id)
        if request is None:
            return []
        request.is_cancelled = True
        if request.phase is Phase.OUT:
            self._send_cancel(request)
            return []
        return [self._finish(request, _cancelled())]

    def abandon(self, request_id: str) -> None:
        """Forget a request whose caller no longer waits, and spare the daemon the work."""
        request = self._pending.get(request_id)
        if request is not None:
            self._drop(request)

    def connected(self, now_s: float) -> list[Finished]:
        """Take note of a new connection: greet the broker."""
        finished = self.disconnected()
        self._connection += 1
        self._refusal = ""
        self._link = LinkState.GREETING
        self._ping(now_s)
        return finished

    def disconnected(self) -> list[Finished]:
        """Take note of a lost connection."""
        self._link = LinkState.DOWN
        self._ping_s = math.inf
        # They were meant for what was out on the link that is gone.
        self._controls.clear()
        return self._lose_link()

    def refused(self, why: str) -> None:
        """Take note of a connection that could not be made, for whoever asks in vain."""
        self._refusal = why

    def received(self, reply: Reply, now_s: float) -> list[Finished]:
        """Take a reply; returns the requests that end by it."""
        if reply.id == self._ping_id:
            return self._greeted(reply.content)
        request = self._pending.get(reply.id)
        if request is None:
            self.counters.replies_ignored += 1
            return []
        content = reply.content
        if isinstance(content, FrameRefused) and content.code in _LATER and request.may_try_again:
            if request.phase is not Phase.OUT:
                # Of a link that is gone. The request will be sent again in any case.
                self.counters.replies_ignored += 1
                return []
            if self._rests(request, content, now_s):
                return []
        if not isinstance(content, OmnishotError | request.expects):
            content = UnreadableReply(f"header: a {type(content).__name__} in reply, not a {request.expects.__name__}")
        return [self._finish(request, content)]

    def elapse(self, now_s: float) -> list[Finished]:
        """Do what is due: time limits, requests that have rested, pings."""
        if now_s < self._wake_s:
            return []
        finished = []
        self._wake_s = math.inf
        for request in list(self._pending.values()):
            if now_s >= request.limit.deadline_s:
                self._drop(request)
                finished.append(Finished(request.id, RequestTimeout(self._told_of(request))))
                continue
            if request.phase is Phase.RESTING and now_s >= request.resume_s:
                request.advance(Event.RESTED)
                self._waiting[request.id] = request
            self._wake_by(request.resume_s if request.phase is Phase.RESTING else request.limit.deadline_s)
        if now_s >= self._ping_s:
            if self._link is LinkState.GREETING or self._out():
                self._ping(now_s)
            else:
                self._ping_s = math.inf
        self._wake_by(self._ping_s)
        return finished

    @property
    def wake_s(self) -> float:
        """The time by which `elapse` is to be called; may be infinite."""
        return self._wake_s

    def outgoing(self, now_s: float) -> Outgoing | None:
        """Return the next message to be sent, the same until `sent` is told of it."""
        if self._controls:
            return self._controls[0]
        if self._link is LinkState.UP and self._waiting:
            if not self._pace.is_open(now_s):
                self._wake_by(self._pace.opens_s)
                return None
            request = next(iter(self._waiting.values()))
            if not self._suspects or self._may_go_beside_the_others(request):
                return Outgoing(request.header, request.payload, request)
        return None

    def sent(self, outgoing: Outgoing, now_s: float) -> None:
        """Take note that a message from `outgoing` went out."""
        if outgoing.request is None:
            self._controls.popleft()
            return
        del self._waiting[outgoing.request.id]
        outgoing.request.advance(Event.SENT)
        outgoing.request.sent_s = now_s
        self._pace.sent(now_s)
        self.counters.sent += 1
        if self._ping_s == math.inf:
            self._ping_s = now_s + PING_INTERVAL_S
            self._wake_by(self._ping_s)

    def close(self) -> list[Finished]:
        """End every request."""
        closed = "the client was closed before the reply"
        return [self._finish(request, ClientClosed(closed)) for request in list(self._pending.values())]

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def _ping_id(self) -> str:
        # Its own for each connection, so that a late pong of the one before proves nothing.
        return f"{OWN_ID_PREFIX}{self._connection}"

    def _ping(self, now_s: float) -> None:
        self._controls.append(Outgoing(encode_header({"op": "ping", "id": self._ping_id})))
        self._ping_s = now_s + PING_INTERVAL_S
        self._wake_by(self._ping_s)

    def _greeted(self, content: Content | OmnishotError) -> list[Finished]:
        # A daemon that refuses a ping is there all the same: let it refuse each request in its own words.
        epoch = content.epoch if isinstance(content, Pong) else self._epoch
        if self._link is LinkState.UP and epoch == self._epoch:
            return []
        # The broker may also be replaced behind a connection that stays, as one through a forwarder does.
        finished = self._lose_link() if self._link is LinkState.UP else []
        self._link = LinkState.UP
        self._epoch = epoch
        self.counters.links += 1
        return finished

    def _lose_link(self) -> list[Finished]:
        finished = []
        for request in self._out():
            request.losses += 1
            if request.is_cancelled:
                finished.append(self._finish(request, _cancelled()))
            elif request.losses >= LOSSES_MAX:
                told = f"{self._endpoint}: the connection was lost {request.losses} times with this request out on it"
                finished.append(self._finish(request, ConnectionLost(told)))
            else:
                if request.losses >= LOSSES_SUSPECT:
                    self._suspects.add(request.id)
                request.advance(Event.LINK_LOST)
                self.counters.resent += 1
        self._waiting = {each.id: each for each in self._pending.values() if each.phase is Phase.WAITING}
        return finished

    def _rests(self, request: Request, refused: FrameRefused, now_s: float) -> bool:
        told_s = REST_DEFAULT_S if refused.retry_after_ms is None else refused.retry_after_ms / 1000
        if refused.code == ErrorCode.RATE_LIMITED:
            self._pace.refused(told_s, request.sent_s, now_s)
        # Never sooner than told; up to half as long again, so that refused producers do not come back all at once.
        rest_s = max(told_s, REST_MIN_S) * (1 + self._jitter() / 2)
        if now_s + rest_s >= request.limit.deadline_s:
            return False
        request.advance(Event.BUSY)
        request.resume_s = now_s + rest_s
        self.counters.rests += 1
        self._wake_by(request.resume_s)
        return True

    def _finish(self, request: Request, outcome: Content | OmnishotError) -> Finished:
        self._remove(request)
        return Finished(request.id, outcome)

    def _drop(self, request: Request) -> None:
        if request.phase is Phase.OUT:
            self._send_cancel(request)
        self._remove(request)

    def _remove(self, request: Request) -> None:
        del self._pending[request.id]
        self._waiting.pop(request.id, None)
        self._suspects.discard(request.id)

    def _send_cancel(self, request: Request) -> None:
        header = {"op": "cancel", "id": request.id, "client": self._client}
        self._controls.append(Outgoing(encode_header(header)))

    def _told_of(self, request: Request) -> str:
        if request.phase is Phase.OUT:
            return f"{self._endpoint}: no reply within {request.limit.timeout_s:g} s of a request that was sent"
        if self._link is LinkState.UP and self._pace.is_limited:
            return f"{self._endpoint}: took no request within {request.limit.timeout_s:g} s: its rate is limited"
        if self._link is LinkState.UP:
            return f"{self._endpoint}: took no request within {request.limit.timeout_s:g} s"
        if self._refusal:
            return f"{self._endpoint}: no connection within {request.limit.timeout_s:g} s: {self._refusal}"
        return f"{self._endpoint}: no daemon answered within {request.limit.timeout_s:g} s"

    def _out(self) -> list[Request]:
        return [request for request in self._pending.values() if request.phase is Phase.OUT]

    def _may_go_beside_the_others(self, request: Request) -> bool:
        """Whether nothing is out, or no suspect is in play: a suspect goes alone, so that a loss leaves no doubt."""
        out = self._out()
        return not out or self._suspects.isdisjoint([request.id, *(each.id for each in out)])

    def _wake_by(self, time_s: float) -> None:
        self._wake_s = min(self._wake_s, time_s)


def _cancelled() -> Cancelled:
    return Cancelled(ErrorCode.CANCELLED, "cancelled by its producer while it was not with the daemon")
