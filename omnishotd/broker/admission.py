"""Admission: what may come in. Pure.

In this order, the cheap questions first: is the producer within its rate, is the frame too large, is the request's name
known already (only then its payload is looked at, to see whether it is the same), does the daemon stop, is there room,
is the payload poison, is it a picture we can process.

What is lent is no payload yet: an encoded picture is copied when its payload is to be looked at, and is as good as sent
from then on; raw pixels stay where they are, and go by their place, as nobody here looks at them.
"""

import secrets
from dataclasses import dataclass
from typing import Final

from xxhash import xxh3_64_intdigest

from ipc.errors import ErrorCode, FrameError
from ipc.rates import RateLimiter
from ipc.settings import Settings
from ipc.wire import Request
from omnishotd.broker.duplicates import Answered, DuplicateWindow
from omnishotd.broker.frame import Frame, Payload, RequestKey, Sender
from omnishotd.broker.plan import Planner
from omnishotd.broker.quarantine import Quarantine
from omnishotd.broker.replies import Reply
from omnishotd.broker.schedule import Room, Schedule
from omnishotd.broker.segments import Loan, Segments

RETRY_AFTER_MS_MIN: Final = 10
RETRY_AFTER_MS_MAX: Final = 5_000


class Refused(FrameError):
    """A request that is not let in; `retry_after_ms` where waiting helps."""

    def __init__(self, code: ErrorCode, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(code, message)
        self.retry_after_ms = retry_after_ms


@dataclass(frozen=True, slots=True)
class Admitted:
    """A new frame, not yet queued."""

    frame: Frame
    room: Room
    """With the waiting frames that give way to it."""


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
        segments: Segments | None = None,
    ) -> None:
        self._schedule = schedule
        self._segments = segments
        self._window = window
        self._quarantine = quarantine
        self._frame_bytes_max = settings.frames.max_frame_bytes
        self.reconfigure(settings, planner)
        self._trace_prefix = trace_prefix
        self._last_number = 0
        # Not a cryptographic hash: the seed keeps anybody from preparing two payloads that look the same, and one who
        # finds such a pair nevertheless fools only the names, or the quarantine, that he could have used anyway.
        self._digest_seed = secrets.randbits(64)
        self.is_draining = False

    def reconfigure(self, settings: Settings, planner: Planner) -> None:
        """Take over what can be changed while frames are in flight; these keep what they were promised."""
        self._planner = planner
        self._rates = RateLimiter(settings.frames.rate_per_second)
        self._timeout_ms = settings.pipeline.queue_timeout_ms
        self._queue_limit = settings.pipeline.queue_limit
        self._queue_bytes_max = settings.pipeline.queue_max_bytes
        self._schedule.set_bounds(self._queue_limit, self._queue_bytes_max)

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
        loan = None
        if request.lent is not None:
            found = self._borrow_or_join(sender, request, payload, now_us, interval_us)
            if isinstance(found, Joined):
                return found
            loan, payload_bytes = found, found.payload_bytes
        elif payload is None:
            raise FrameError(ErrorCode.BAD_REQUEST, "payload: the message has a header and no picture")
        else:
            payload_bytes = len(payload)
        if payload_bytes > self._frame_bytes_max:
            what = "payload" if loan is None else "lent.bytes"
            message = f"{what}: {payload_bytes} bytes, at most {self._frame_bytes_max} are taken"
            raise FrameError(ErrorCode.TOO_LARGE, message)
        known = self._window.known(key, now_us)
        if known is not None:
            return self._again(known, key, self._fingerprint(self._digest(_looked_at(payload, loan), loan), request))
        if self.is_draining:
            raise Refused(ErrorCode.SHUTTING_DOWN, "the daemon is stopping and takes no new frames")
        room = self._schedule.room(sender.peer.id, key.scope, request.stream, request.on_full, payload_bytes)
        if not room.is_there:
            raise self._busy(interval_us)
        # A flood ends above, and has cost nothing for each byte of it.
        payload = _looked_at(payload, loan)
        digest = self._digest(payload, loan)
        if self._quarantine.holds(digest, now_us):
            raise FrameError(ErrorCode.POISON, "payload: these bytes killed their workers lately, and are refused")
        plan = self._planner.plan(request, payload, loan)
        self._last_number += 1
        frame = Frame(
            number=self._last_number,
            trace=f"{self._trace_prefix}-{self._last_number:x}",
            producer=sender.peer.id,
            sender=sender,
            key=key,
            payload_digest=digest,
            fingerprint=self._fingerprint(digest, request),
            request=request,
            payload=payload,
            plan=plan,
            arrived_us=now_us,
            deadline_us=now_us + 1000 * (request.deadline_ms or self._timeout_ms),
            loan=loan if loan is not None and loan.is_pixels else None,
        )
        return Admitted(frame, room)

    def retry_after_ms(self, interval_us: int) -> int:
        """Tell in which time about half of the queue will be done."""
        return min(max(self._schedule.count * interval_us // 2_000, RETRY_AFTER_MS_MIN), RETRY_AFTER_MS_MAX)

    def _borrow_or_join(
        self, sender: Sender, request: Request, payload: Payload | None, now_us: int, interval_us: int
    ) -> Loan | Joined:
        """Find what is lent in place of a payload. Raises `FrameError`."""
        try:
            return self._borrow(sender, request, payload, now_us)
        except FrameError as error:
            frame = self._window.in_flight(request_key(sender, request))
            if frame is not None and frame.request == request:
                # A frame goes on without its segment's name: so it does for who asks for it again.
                return Joined(frame)
            if error.code is ErrorCode.BUSY:
                raise Refused(error.code, error.message, self.retry_after_ms(interval_us)) from None
            raise

    def _borrow(self, sender: Sender, request: Request, payload: Payload | None, now_us: int) -> Loan:
        if payload is not None:
            raise FrameError(ErrorCode.BAD_REQUEST, "lent: excludes a payload part")
        if self._segments is None or request.lent is None:
            raise FrameError(ErrorCode.BAD_REQUEST, "lent: not taken here")
        is_pixels = request.input is not None and request.input.raw_geometry is not None
        return self._segments.lend(sender.peer.uid, request.lent, now_us, is_pixels=is_pixels)

    def _digest(self, payload: Payload, loan: Loan | None) -> int:
        if loan is not None and loan.is_pixels:
            return loan.identity
        return xxh3_64_intdigest(payload, self._digest_seed)

    def _fingerprint(self, digest: int, request: Request) -> int:
        """Sum up all that makes two requests the same."""
        return hash((digest, request.input, request.preset, bytes(request.outputs)))

    def _again(self, known: Frame | Answered, key: RequestKey, fingerprint: int) -> Joined | Known:
        """Decide on a request whose name is known. Raises `FrameError` if it names another one."""
        if known.fingerprint != fingerprint:
            message = f"id: {key.request_id!r} names another request of this client"
            raise FrameError(ErrorCode.CONFLICT, message)
        return Joined(known) if isinstance(known, Frame) else Known(known.reply)

    def _check_rate(self, sender: Sender, now_us: int) -> None:
        wait_us = self._rates.retry_after_us(sender.peer.id, now_us)
        if wait_us:
            raise Refused(ErrorCode.RATE_LIMITED, "more frames than frames.rate_per_second allows", -(-wait_us // 1000))

    def _busy(self, interval_us: int) -> Refused:
        message = (
            f"the queue is full: {self._schedule.count} of {self._queue_limit} frames, "
            f"{self._schedule.bytes} of {self._queue_bytes_max} bytes"
        )
        return Refused(ErrorCode.BUSY, message, self.retry_after_ms(interval_us))


def request_key(sender: Sender, request: Request) -> RequestKey:
    """Name a request: its id, in the scope that its sender has."""
    return RequestKey(sender.peer.scope(request.client, sender.identity), request.id or "")


def _looked_at(payload: Payload | None, loan: Loan | None) -> Payload:
    """Return the bytes that are to be looked at. Raises `FrameError` where they are lent and not there any more."""
    if loan is not None:
        return loan.payload()
    return b"" if payload is None else payload
