"""The duplicate window: which requests are known, and what was answered. Pure.

A request sent again under the same name gets the same reply without being executed again, as long as the window
remembers it: `AGE_US_MAX`, `COUNT_MAX` names and `REPLY_BYTES_MAX` of replies, whichever is less.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from ipc.errors import FREES_ID, ErrorCode
from omnishotd.broker.frame import Frame, RequestKey
from omnishotd.broker.replies import Reply

AGE_US_MAX: Final = 120_000_000
COUNT_MAX: Final = 10_000
REPLY_BYTES_MAX: Final = 64 << 20
NAME_BYTES: Final = 700
"""What one remembered name costs besides its reply, about."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that has its reply."""

    fingerprint: int
    reply: Reply
    at_us: int


class DuplicateWindow:
    """Requests in flight, and those answered lately."""

    def __init__(self) -> None:
        self._in_flight: dict[RequestKey, Frame] = {}
        self._answered: OrderedDict[RequestKey, Answered] = OrderedDict()
        self._reply_bytes = 0

    def known(self, key: RequestKey, now_us: int) -> Frame | Answered | None:
        """Return what a name stands for. Whether it is the same request, the fingerprint tells."""
        self._forget_old(now_us)
        return self._in_flight.get(key) or self._answered.get(key)

    @property
    def remembered_bytes(self) -> int:
        """What the answered requests take, about."""
        return self._reply_bytes + NAME_BYTES * len(self._answered)

    def in_flight(self, key: RequestKey) -> Frame | None:
        """Return the frame in flight of this name."""
        return self._in_flight.get(key)

    def all_in_flight(self) -> list[Frame]:
        """List the frames in flight, in order of arrival."""
        return list(self._in_flight.values())

    def admit(self, frame: Frame) -> None:
        """Remember a frame as in flight."""
        self._in_flight[frame.key] = frame

    def close(self, frame: Frame, reply: Reply, code: ErrorCode | None, now_us: int) -> None:
        """Remember a frame's reply, or forget its name where the code frees it."""
        del self._in_flight[frame.key]
        if code in FREES_ID:
            return
        self._answered[frame.key] = Answered(frame.fingerprint, reply, now_us)
        self._reply_bytes += reply.bytes
        while len(self._answered) > COUNT_MAX or self._reply_bytes > REPLY_BYTES_MAX:
            self._forget_oldest()

    def _forget_old(self, now_us: int) -> None:
        while self._answered and now_us - next(iter(self._answered.values())).at_us > AGE_US_MAX:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, answered = self._answered.popitem(last=False)
        self._reply_bytes -= answered.reply.bytes
