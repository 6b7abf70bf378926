"""Admission: what may come in. Pure.

In this order, the cheap questions first: is the producer within its rate, is the frame too large, is the request known
already, does the daemon stop, is the payload poison, is there room, is it a picture we can process.
"""

import secrets
from dataclasses import dataclass
from typing import Final

from xxhash import xxh3_64_intdigest

from ipc.errors import ErrorCode, FrameError
from ipc.rates import RateLimiter
from ipc.settings import Settings
from ipc.wire import Request
from omnishotd.broker.duplicates import Conflict, DuplicateWindow
from omnishotd.broker.frame import Frame, Payload, RequestKey, Sender
from omnishotd.broker.plan import Planner
from omnishotd.broker.quarantine import Quarantine
from omnishotd.broker.replies import Reply
from omnishotd.broker.schedule import Schedule

RETRY_AFTER_MS_MIN: Final = 10
RETRY_AFTER_MS_MAX: Final = 5_000


class Refused(FrameError):
    """A request that is not let in; `retry_after_ms` where waiting helps."""

    def __init__(self, code: ErrorCode, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(code, message)
        self.retry_after_ms = retry_after_ms


@dataclass(frozen=True, slots=True)
class Admitted:
    """A new frame, not yet queued, and the waiting frames that give way to it."""

    frame: Frame
    victims: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """The same request is in flight already."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class Known:
    """The same request was answered already."""

    reply: Reply


class Admission:
    """The door's rules."""

    def __init__(
        self,
        settings: Settings,
        schedule: Schedule,
        window: DuplicateWindow,
        quarantine: Quarantine,
        planner: Planner,
        trace_prefix: str,
    ) -> None:
        self._schedule = schedule
        self._window = window
        self._quarantine = quarantine
        self._planner = planner
        self._rates = RateLimiter(settings.frames.rate_per_second)
        self._frame_bytes_max = settings.frames.max_frame_bytes
        self._timeout_ms = settings.pipeline.queue_timeout_ms
        self._queue_limit = settings.pipeline.queue_limit
        self._queue_bytes_max = settings.pipeline.queue_max_bytes
        self._trace_prefix = trace_prefix
        self._last_number = 0
        # Not a cryptographic hash: the seed keeps anybody from preparing two payloads that look the same, and one who
        # finds such a pair nevertheless fools only the names, or the quarantine, that he could have used anyway.
        self._digest_seed = secrets.randbits(64)
        self.is_draining = False

    def admit(
        self, sender: Sender, request: Request, payload: Payload | None, now_us: int, interval_us: int
    ) -> Admitted | Joined | Known:
        """Decide on a request to process a frame. `interval_us`: time between two finished frames, lately.

        Changes nothing but the producer's rate. Raises `FrameError`.
        """
        key = request_key(sender, request)
        if self._window.in_flight(key) is None:
            # A frame in flight has its own reply to come: a refusal would be a second.
            self._check_rate(sender, now_us)
        if payload is None:
            raise FrameError(ErrorCode.BAD_REQUEST, "payload: the message has a header and no picture")
        if len(payload) > self._frame_bytes_max:
            message = f"payload: {len(payload)} bytes, at most {self._frame_bytes_max} are taken"
            raise FrameError(ErrorCode.TOO_LARGE, message)
        digest = xxh3_64_intdigest(payload, self._digest_seed)
        fingerprint = hash((digest, request.input, request.preset, bytes(request.outputs)))
        try:
            known = self._window.find(key, fingerprint, now_us)
        except Conflict:
            raise FrameError(
                ErrorCode.CONFLICT, f"id: {key.request_id!r} names another request of this client"
            ) from None
        if isinstance(known, Frame):
            return Joined(known)
        if known is not None:
            return Known(known)
        if self.is_draining:
            raise Refused(ErrorCode.SHUTTING_DOWN, "the daemon is stopping and takes no new frames")
        if self._quarantine.holds(digest, now_us):
            raise FrameError(ErrorCode.POISON, "payload: these bytes killed their workers lately, and are refused")
        room = self._schedule.room(sender.identity, request.stream, request.on_full, len(payload))
        if not room.is_there:
            raise self._busy(interval_us)
        plan = self._planner.plan(request, payload)
        self._last_number += 1
        frame = Frame(
            number=self._last_number,
            trace=f"{self._trace_prefix}-{self._last_number:x}",
            producer=sender.identity,
            sender=sender,
            key=key,
            payload_digest=digest,
            fingerprint=fingerprint,
            request=request,
            payload=payload,
            plan=plan,
            arrived_us=now_us,
            deadline_us=now_us + 1000 * (request.deadline_ms or self._timeout_ms),
        )
        return Admitted(frame, room.victims)

    def _check_rate(self, sender: Sender, now_us: int) -> None:
        wait_us = self._rates.retry_after_us(sender.identity, now_us)
        if wait_us:
            raise Refused(ErrorCode.RATE_LIMITED, "more frames than frames.rate_per_second allows", -(-wait_us // 1000))

    def _busy(self, interval_us: int) -> Refused:
        """Refuse for want of room, with the time in which about half of the queue will be done."""
        retry_after_ms = self._schedule.count * interval_us // 2_000
        message = (
            f"the queue is full: {self._schedule.count} of {self._queue_limit} frames, "
            f"{self._schedule.bytes} of {self._queue_bytes_max} bytes"
        )
        return Refused(ErrorCode.BUSY, message, min(max(retry_after_ms, RETRY_AFTER_MS_MIN), RETRY_AFTER_MS_MAX))


def request_key(sender: Sender, request: Request) -> RequestKey:
    """Name a request. Without a client's name, the connection is the scope of its id."""
    return RequestKey(request.client or sender.identity, request.id or "")
