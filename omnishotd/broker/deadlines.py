"""Deadlines: which admitted frame's time is over. Pure."""

import heapq
from typing import Final

from omnishotd.broker.frame import IN_WORK, Frame, FrameState

NEVER_US: Final = 1 << 62

STALE_MAX: Final = 1024
"""Entries of finished frames that may lie in the heap before it is rebuilt. They hold their frames' small parts."""

_OPEN: Final = IN_WORK | {FrameState.WAITING}


class Deadlines:
    """A heap of deadlines. Frames that finish are not taken out but counted, and cleared out in bulk."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Frame]] = []
        self._stale = 0

    def add(self, frame: Frame) -> None:
        """Watch a frame."""
        heapq.heappush(self._heap, (frame.deadline_us, frame.number, frame))

    def finished(self) -> None:
        """Note that one of the watched frames needs no watching any more."""
        self._stale += 1
        if self._stale > STALE_MAX and self._stale * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].state in _OPEN]
            heapq.heapify(self._heap)
            self._stale = 0

    def next_us(self) -> int | None:
        """Return the earliest time at which `due` may have something, or None."""
        return self._heap[0][0] if self._heap else None

    def due(self, now_us: int) -> list[Frame]:
        """Take out the frames whose time is over and that have no answer yet."""
        frames: list[Frame] = []
        while self._heap and self._heap[0][0] <= now_us:
            frame = heapq.heappop(self._heap)[2]
            # Either it was counted by `finished`, or it will be, now that it is given out.
            self._stale -= 1
            if frame.state in _OPEN:
                frames.append(frame)
        return frames
