"""Lender: passes lent segments on to the workers that are given frames in them, and takes them away again.

A worker gets a descriptor before the first message that names its segment, and keeps it: `SEGMENTS_HELD_MAX` of them,
the least recently needed goes. It loses those of which the broker has closed its own.
"""

import logging
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from ipc.lending import SEGMENTS_HELD_MAX, accept, listen, tell
from ipc.messages import SegmentGone, SegmentLent, Task
from omnishotd.broker.crew import Worker
from omnishotd.broker.segments import Segments

log = logging.getLogger(__name__)

ACCEPTED_PER_TURN_MAX: Final = 64


class Unprovided(Exception):
    """A worker cannot be given a segment: it is gone, or does not listen."""


class Lender:
    """Owner of the socket on which workers listen for segments. Without a `path` there is none."""

    def __init__(self, segments: Segments, path: Path | None) -> None:
        """Open the socket. Raises OSError."""
        self._segments = segments
        self._path = path
        self._listener = None if path is None else listen(path)
        self._connections: dict[int, socket.socket] = {}
        """By incarnation of the worker."""
        self._held: dict[int, dict[int, None]] = {}
        """By incarnation, the numbers of the segments that the worker has, the least recently needed first."""

    def take_in(self) -> None:
        """Accept the workers that wait: each has connected before it said hello on the frames' road."""
        if self._listener is None:
            return
        for _ in range(ACCEPTED_PER_TURN_MAX):
            try:
                waiting = accept(self._listener)
            except (OSError, msgspec.MsgspecError) as error:
                log.warning("a worker did not come for lent segments as it should: %s", error)
                continue
            if waiting is None:
                return
            incarnation, connection = waiting
            if incarnation in self._connections:
                log.error("a second worker says it is %d: ignored", incarnation)
                connection.close()
                continue
            self._connections[incarnation] = connection
            self._held[incarnation] = {}

    def forget(self, incarnation: int) -> None:
        """Let go of a worker that is proved dead."""
        # It may have died before it said hello.
        self.take_in()
        connection = self._connections.pop(incarnation, None)
        if connection is not None:
            connection.close()
            del self._held[incarnation]

    def provide(self, worker: Worker, tasks: Sequence[Task]) -> None:
        """See to it that a worker has the segments that its next message names. Raises `Unprovided`."""
        if not len(self._segments):
            return
        # What a task begins with reads what the frame came with; further steps read the same, or what these have made.
        for number in dict.fromkeys(task.steps[0].source.segment for task in tasks):
            if number > 0:
                self._provide(worker, number)

    def pass_time(self, now_us: int) -> None:
        """Take segments that nobody needs any more from all who have them."""
        for segment in self._segments.pass_time(now_us):
            for incarnation in [one for one, held in self._held.items() if segment.number in held]:
                self._take_away(incarnation, segment.number)

    def close(self) -> None:
        """Close all connections, and every segment."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self._segments.close()

    def _provide(self, worker: Worker, number: int) -> None:
        connection = self._connections.get(worker.incarnation)
        if connection is None:
            raise Unprovided("it did not come for lent segments")
        held = self._held[worker.incarnation]
        if number in held:
            held[number] = held.pop(number)
            return
        if len(held) >= SEGMENTS_HELD_MAX:
            named = {
                job.frame.loan.segment.number
                for batch in worker.batches
                for job in batch.jobs
                if job.frame.loan is not None
            }
            idle = next((number for number in held if number not in named), None)
            if idle is not None:
                self._take_away(worker.incarnation, idle)
        try:
            tell(connection, SegmentLent(number), self._segments.descriptor(number))
        except OSError as error:
            raise Unprovided(str(error)) from error
        held[number] = None

    def _take_away(self, incarnation: int, number: int) -> None:
        """Have a worker unmap a segment. One that cannot be told is dying, or will be found not to listen."""
        del self._held[incarnation][number]
        try:
            tell(self._connections[incarnation], SegmentGone(number))
        except OSError as error:
            log.debug("worker %d was not told that a segment is gone: %s", incarnation, error)
