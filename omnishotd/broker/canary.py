"""Canary: a small picture of our own that goes through every pool, to see that all stages work. Pure.

One at a time, a second apart, from the moment when every pool has a worker. It goes before all frames, in a message of
its own, in each pool to the worker that was heard longest ago (`omnishotd.broker.crew`): so workers without work are
tried in turn, and one that was stopped meanwhile is found, as any other, by its time limit. A worker with work shows by
its answers that it lives.
"""

import base64
from collections.abc import Sequence
from typing import Final

import msgspec

from ipc.errors import ErrorCode, FrameError
from ipc.events import DETAIL_LENGTH_MAX
from ipc.messages import Fault
from ipc.printable import printable
from ipc.telemetry import CanaryFigures
from ipc.wire import Request
from omnishotd.broker.crew import BATCHES_MAX
from omnishotd.broker.deadlines import NEVER_US
from omnishotd.broker.frame import Frame, RequestKey, Sender
from omnishotd.broker.peer import Peer
from omnishotd.broker.plan import make_plan
from stages.limits import Limits
from stages.outputs import parse_outputs
from stages.probe import probe

INTERVAL_US: Final = 1_000_000
LIMIT_US_MIN: Final = 1_000_000
"""Time in one pool that is allowed in any case: a host may be busy with other things."""

PICTURE: Final = base64.b64decode(
    b"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5"
    b"PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/wAAR"
    b"CAAgADADASIAAhEBAxEB/8QAFwABAQEBAAAAAAAAAAAAAAAABAUCB//EABgQAAMBAQAAAAAAAAAAAAAAAAACBGFi/8QAFwEBAQEBAAAAAAAA"
    b"AAAAAAAABgcFCP/EABgRAQEBAQEAAAAAAAAAAAAAAAQAMSFh/9oADAMBAAIRAxEAPwDmCQYISDC+kGCEgwo717ZYne0BIMEJBhfSDBCQYDHr"
    b"2WCd7QEgwQkGF9IMEJBgLevZaJ2dspByJSDkvJBghIMKC9e3OonZ2gpByISDkvJBghIMBb17LBO9oKQciEg5LyQYISDAW9ey0Ts7f//Z"
)
"""A JPEG of 48 x 32 pixels: red grows from left to right, green from top to bottom, and blue falls from left to right.
Written by Pillow: quality 75, 4:2:0, optimized tables. Its sides differ, so that pixels in a wrong order are seen."""

NO_ROOM: Final = "cannot be sent: the arena has no room for it"

_NOBODY: Final = Peer(b"", "", "")
_LIMITS: Final = Limits(max_side=64, max_pixels=64 * 64)
_PLAN: Final = make_plan(
    probe(PICTURE, _LIMITS),
    parse_outputs(msgspec.msgpack.encode([{"operations": [{"op": "resize", "width": 24}]}]), _LIMITS),
    _LIMITS,
)
_RESULT: Final = _PLAN.outputs[0].result


class Canary:
    """When the next one is due, what becomes of the present one, and what came of all of them."""

    def __init__(self, pools: Sequence[str], stage_timeout_us: int, trace_prefix: str) -> None:
        self._pools = pools
        self._trace_prefix = trace_prefix
        # Its worker may be at one message, have another before it, and then take as long as it may over the canary.
        self._limit_us = max((BATCHES_MAX + 1) * stage_timeout_us, LIMIT_US_MIN)
        self.frame: Frame | None = None
        """The one under way."""
        self.due_us = NEVER_US
        """When the next one is to be sent."""
        self.verdict: bool | None = None
        """Whether the last one passed; None before the first came to an end."""
        self._is_begun = False
        self._is_stopped = False
        self._has_no_room = False
        self._pool = 0
        self._entered_us = 0
        """When the one under way came to its present pool."""
        self._passed = 0
        self._failed = 0
        self._passed_at_us: int | None = None
        self._took_us = 0
        self._fault = ""

    @property
    def fault(self) -> str:
        """Why the last one failed, or cannot be sent; empty if all is well."""
        return NO_ROOM if self._has_no_room else self._fault

    @property
    def look_at_us(self) -> int:
        """When time itself brings something to do: one to send, or one to give up."""
        if self.frame is not None:
            return self._entered_us + self._limit_us + 1
        # Room comes with somebody's answer, and not with time.
        return NEVER_US if self._has_no_room else self.due_us

    def begin(self, now_us: int) -> None:
        """Note that every pool has a worker. The first time, a canary is due at once."""
        if not self._is_begun and not self._is_stopped:
            self._is_begun = True
            self.due_us = now_us

    def stop(self) -> None:
        """Send no more of them: the broker drains. What becomes of the one under way is of no consequence."""
        self._is_stopped = True
        self._has_no_room = False
        self.due_us = NEVER_US

    def make(self, now_us: int) -> Frame:
        """Return the next one as a frame that waits, which nobody asked for and nobody gets."""
        return Frame(
            number=0,
            trace=f"{self._trace_prefix}-canary-{self._passed + self._failed + 1}",
            producer=b"",
            sender=Sender(b"", has_delimiter=False, peer=_NOBODY),
            key=RequestKey("", ""),
            payload_digest=0,
            fingerprint=0,
            request=Request(v=1),
            payload=PICTURE,
            plan=_PLAN,
            arrived_us=now_us,
            deadline_us=NEVER_US,
            is_canary=True,
        )

    def sent(self, frame: Frame, now_us: int) -> None:
        """Note that one is under way."""
        self.frame = frame
        self.due_us = NEVER_US
        self._has_no_room = False
        self._pool = 0
        self._entered_us = now_us

    def found_no_room(self) -> None:
        """Note that the one that is due could not be sent; it stays due."""
        self._has_no_room = True

    def reached(self, pool: int, now_us: int) -> None:
        """Note in which pool the one under way is, or waits for a worker."""
        if pool != self._pool:
            self._pool = pool
            self._entered_us = now_us

    def excuse(self, gap_us: int) -> None:
        """Leave out a time in which nobody listened to the workers."""
        self._entered_us += gap_us

    def lateness(self, now_us: int) -> Fault | None:
        """Say that the one under way has been in its pool for too long, if it has."""
        if self.frame is None or now_us - self._entered_us <= self._limit_us:
            return None
        return Fault(ErrorCode.TIMEOUT, f"it did not come through within {self._limit_us // 1000} ms")

    def conclude(self, fault: Fault | None, now_us: int) -> None:
        """Take the end of the one under way; without a fault, its picture lies in its frame."""
        frame = self.frame
        if frame is None:
            return
        reason = _flaw(frame) if fault is None else fault.message
        if reason:
            self._failed += 1
            pool = self._pools[self._pool]
            self._fault = printable(f"{pool}: {reason.removeprefix(pool + ' ')}")[:DETAIL_LENGTH_MAX]
        else:
            self._passed += 1
            self._passed_at_us = now_us
            self._took_us = now_us - frame.arrived_us
            self._fault = ""
        self.verdict = not reason
        self.frame = None
        if not self._is_stopped:
            self.due_us = frame.arrived_us + INTERVAL_US

    def figures(self) -> CanaryFigures:
        """Tell operators."""
        return CanaryFigures(
            passed=self._passed,
            failed=self._failed,
            passed_at_s=None if self._passed_at_us is None else self._passed_at_us / 1e6,
            took_us=self._took_us,
            waits_for=self._pools[self._pool] if self.frame is not None else "",
            sent_at_s=self.frame.arrived_us / 1e6 if self.frame is not None else None,
            fault=self.fault,
        )


def _flaw(frame: Frame) -> str:
    """Say what is wrong with a canary's picture; empty if nothing is. The ledger has seen to it that there is one."""
    try:
        picture = probe(bytes(frame.parts[0]), _LIMITS)
    except FrameError as error:
        return f"what came back is no picture: {error.message}"
    if picture.geometry != _RESULT:
        return f"what came back has {picture.geometry.width} x {picture.geometry.height} pixels"
    return ""
