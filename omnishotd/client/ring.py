"""The buffers of a lent segment, and who has each of them: free, held by the producer, or lent to the daemon.

No clocks and no sockets. Waiting is a future, so that threads and event loops wait in one line. Whatever gives a buffer
back may run anywhere, the garbage collector in the midst of this module included: hence the reentrant lock, and the
loop that looks again after each step.
"""

import math
import mmap
import os
import threading
import weakref
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from omnishotd.client.errors import ClientClosed, ForkedClient
from omnishotd.client.segment import Segment

if TYPE_CHECKING:
    import numpy as np

Shape: TypeAlias = tuple[int, ...]
"""`(bytes,)` of an encoded picture or of raw pixels in a row; `(height, width)` or `(height, width, channels)`."""


class Phase(Enum):
    """Where a buffer stands that was taken."""

    HELD = auto()
    """Its producer fills it."""
    LENT = auto()
    """A request names it that has no reply yet: it must not change."""
    RETURNED = auto()
    """It may be another image's by now."""


class Event(Enum):
    """What moves it on."""

    SUBMITTED = auto()
    NOT_SENT = auto()
    ENDED = auto()


TRANSITIONS: Final[Mapping[tuple[Phase, Event], Phase]] = {
    (Phase.HELD, Event.SUBMITTED): Phase.LENT,
    (Phase.LENT, Event.NOT_SENT): Phase.HELD,
    (Phase.HELD, Event.ENDED): Phase.RETURNED,
    (Phase.LENT, Event.ENDED): Phase.RETURNED,
}


class LentImage:
    """An image in lent memory, for one request. Its buffer is free again when that has ended, however it ended.

    Fill `array` or `view`, then give it to `process` or `submit` in the place of an image. One that is never submitted
    is given back by `release`, or when nobody holds it any more; arrays of it alone do not hold it.
    """

    def __init__(self, ring: "Ring", index: int, shape: Shape) -> None:
        self.shape: Final = shape
        self.index: Final = index
        self.phase = Phase.HELD
        """Changed by the ring only."""
        self._ring = ring
        self._view = ring.buffer(index, math.prod(shape))

    @property
    def view(self) -> memoryview:
        """The image's bytes, to be written to. Raises ValueError after the buffer was given back."""
        if self.phase is Phase.RETURNED:
            raise ValueError("image: its request has ended, and its buffer was given back; take another")
        return self._view

    @property
    def array(self) -> "np.ndarray[Any, np.dtype[np.uint8]]":
        """The image's pixels as an array of its shape, to be written to in place. Raises ValueError as `view`."""
        import numpy as np  # noqa: PLC0415 - a producer that only passes files on need not load numpy

        return np.frombuffer(self.view, np.uint8).reshape(self.shape)

    def release(self) -> None:
        """Give the buffer back unused. Nothing happens where it is lent, or was given back."""
        if self.phase is Phase.HELD:
            self._ring.end(self, Phase.HELD)

    def __del__(self) -> None:
        self.release()

    # -------------------- for the client --------------------

    def submitted(self) -> dict[str, Any]:
        """Take note that a request will name the image; return the header's `lent`. Raises as `Ring.submit`."""
        return self._ring.submit(self)

    def not_sent(self) -> None:
        """Take note that the request did not come about: the image is its producer's again."""
        self._ring.not_sent(self)

    def ended(self) -> None:
        """Take note that the request has ended."""
        self._ring.end(self, Phase.LENT)


@dataclass(slots=True)
class _Waiter:
    """Somebody who wants a buffer."""

    shape: Shape
    future: "Future[LentImage]" = field(default_factory=Future)


class Ring:
    """`count` buffers of `frame_bytes` each in one segment, each on pages of its own."""

    def __init__(self, segment: Segment, frame_bytes: int, count: int) -> None:
        self.frame_bytes: Final = frame_bytes
        self.count: Final = count
        self._segment = segment
        self._stride = stride_bytes(frame_bytes)
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._free = deque(range(count))
        self._waiters: deque[_Waiter] = deque()
        self._lent = 0
        self._is_closed = False
        # With the last image, and at the latest when the interpreter ends.
        self._finalizer = weakref.finalize(self, segment.close)

    def ask(self, shape: Shape) -> "Future[LentImage]":
        """Ask for a buffer that holds an image of this shape; cancel the future to withdraw.

        Raises ValueError, `ClientClosed`, `ForkedClient`.
        """
        self.check_process()
        size = math.prod(shape)
        if not 1 <= size <= self.frame_bytes:
            told = f"{size} bytes for an image of shape {shape}, a buffer has {self.frame_bytes}"
            raise ValueError(f"image: {told}")
        waiter = _Waiter(shape)
        with self._lock:
            if self._is_closed:
                raise ClientClosed("the lent memory is closed")
            self._waiters.append(waiter)
            self._serve()
        return waiter.future

    def submit(self, image: LentImage) -> dict[str, Any]:
        """Take note that a request will name the image; return how. Raises ValueError, `CannotLend`, `ForkedClient`."""
        self.check_process()
        self._segment.admit_daemon()
        with self._lock:
            if self._is_closed:
                raise ValueError("image: the memory it lies in was closed")
            if image.phase is not Phase.HELD:
                raise ValueError("image: serves one request, and was submitted already; take another")
            self._advance(image, Event.SUBMITTED)
        return {"segment": self._segment.name, "offset": image.index * self._stride, "bytes": math.prod(image.shape)}

    def not_sent(self, image: LentImage) -> None:
        """Take note that the request did not come about."""
        with self._lock:
            self._advance(image, Event.NOT_SENT)
            self._close_when_idle()

    def end(self, image: LentImage, since: Phase) -> None:
        """Take a buffer back if it is in this phase. In a process that was forked off, nothing happens."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            if image.phase is since:
                self._advance(image, Event.ENDED)
                self._free.append(image.index)
                self._serve()
                self._close_when_idle()

    def buffer(self, index: int, size: int) -> memoryview:
        """Return the first bytes of a buffer."""
        start = index * self._stride
        return self._segment.memory[start : start + size]

    def close(self) -> None:
        """Give no buffers out any more; the segment goes when none is lent. Does not wait, may be called twice."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            self._is_closed = True
            while self._waiters:
                future = self._waiters.popleft().future
                if future.set_running_or_notify_cancel():
                    future.set_exception(ClientClosed("the lent memory was closed"))
            self._close_when_idle()

    def check_process(self) -> None:
        """Raise `ForkedClient` in another process than the one that made this."""
        if os.getpid() != self._pid:
            raise ForkedClient(f"lent by process {self._pid}, used by {os.getpid()}: lend in each process")

    def _advance(self, image: LentImage, event: Event) -> None:
        was_lent = image.phase is Phase.LENT
        image.phase = TRANSITIONS[image.phase, event]
        self._lent += (image.phase is Phase.LENT) - was_lent

    def _serve(self) -> None:
        """Give free buffers to those who wait, in turn."""
        while self._waiters and self._free:
            index = self._free.popleft()
            # What was given back in between has served itself.
            waiter = self._waiters.popleft() if self._waiters else None
            if waiter is not None and waiter.future.set_running_or_notify_cancel():
                waiter.future.set_result(LentImage(self, index, waiter.shape))
            else:
                self._free.append(index)

    def _close_when_idle(self) -> None:
        if self._is_closed and not self._lent:
            self._finalizer()


def stride_bytes(frame_bytes: int) -> int:
    """Return how far apart buffers lie: whole pages."""
    return -(-frame_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
