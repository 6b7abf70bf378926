"""The way back to the producers: replies go out at once, wait within bounds, or are dropped. Nothing ever blocks.

What one who does not read can make the broker hold: `ipc.sockets.PRODUCER_SEND_MARK` replies in libzmq, and then a
backlog here, for `BACKLOG_AGE_US_MAX`. All backlogs together are bounded too: whose is largest loses it.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import zmq

from omnishotd.broker.frame import Sender
from omnishotd.broker.replies import Reply

BACKLOG_COUNT_MAX: Final = 512
BACKLOG_BYTES_MAX: Final = 64 << 20
BACKLOGS_BYTES_MAX: Final = 128 << 20
"""Of all producers together."""
BACKLOG_AGE_US_MAX: Final = 10_000_000
"""A producer that has taken nothing for so long is not waited for."""


class Outlet(Protocol):
    """What is needed of a ROUTER socket."""

    def send_multipart(self, msg_parts: Sequence[Any], flags: int = 0, copy: bool = True) -> Any:
        """Send a message."""


@dataclass(slots=True)
class _Backlog:
    replies: deque[tuple[Sender, Reply]] = field(default_factory=deque)
    bytes: int = 0
    moved_us: int = 0


class Producers:
    """Sends replies; keeps those that a slow producer has not room for."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._backlogs: dict[bytes, _Backlog] = {}
        self.backlog_bytes = 0
        """Of all replies that wait."""
        self.dropped = 0
        """Replies to producers that are gone, or did not read."""
        self.picture_bytes = 0
        """Of all pictures that went out: as often as their reply did, and not where it was dropped."""

    @property
    def has_backlog(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._backlogs)

    def send(self, sender: Sender, reply: Reply, now_us: int) -> None:
        """Send a reply, or keep it for `flush`, or drop it when its producer is gone or far behind."""
        backlog = self._backlogs.get(sender.identity)
        if backlog is None:
            if self._sent(sender, reply):
                return
            backlog = self._backlogs[sender.identity] = _Backlog(moved_us=now_us)
        if len(backlog.replies) >= BACKLOG_COUNT_MAX or backlog.bytes + reply.bytes > BACKLOG_BYTES_MAX:
            self.dropped += 1
            return
        backlog.replies.append((sender, reply))
        backlog.bytes += reply.bytes
        self.backlog_bytes += reply.bytes
        while self.backlog_bytes > BACKLOGS_BYTES_MAX:
            self._drop(max(self._backlogs, key=lambda identity: self._backlogs[identity].bytes))

    def flush(self, now_us: int) -> None:
        """Try the kept replies again."""
        for identity in list(self._backlogs):
            backlog = self._backlogs[identity]
            while backlog.replies and self._sent(*backlog.replies[0]):
                size_bytes = backlog.replies.popleft()[1].bytes
                backlog.bytes -= size_bytes
                self.backlog_bytes -= size_bytes
                backlog.moved_us = now_us
            if not backlog.replies or now_us - backlog.moved_us > BACKLOG_AGE_US_MAX:
                self._drop(identity)

    def excuse(self, gap_us: int) -> None:
        """Leave out a time in which the loop stood still: nobody could take anything."""
        for backlog in self._backlogs.values():
            backlog.moved_us += gap_us

    def _drop(self, identity: bytes) -> None:
        """Wait for a producer no longer."""
        backlog = self._backlogs.pop(identity)
        self.dropped += len(backlog.replies)
        self.backlog_bytes -= backlog.bytes

    def _sent(self, sender: Sender, reply: Reply) -> bool:
        """Send now. Returns False when there is no room; a producer that is gone counts as done."""
        parts: list[Any] = [sender.identity, reply.header, *reply.pictures]
        if sender.has_delimiter:
            parts.insert(1, b"")
        try:
            self._outlet.send_multipart(parts, flags=zmq.DONTWAIT, copy=False)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno not in {zmq.EHOSTUNREACH, zmq.ENOTSUP}:
                raise
            self.dropped += 1
        else:
            self.picture_bytes += reply.bytes - len(reply.header)
        return True
