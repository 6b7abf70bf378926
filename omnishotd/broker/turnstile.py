"""Turnstile: how many connections producers may have in all, and a door that is shut while there are that many.

libzmq ends the process when a unix socket has a connection to accept and no descriptor is left. So the sockets' files
are moved away before that, as soon as half of the descriptors are in use: who is in stays in, and newcomers find
nothing to connect to, as if the daemon were not up yet, and try again. The other half is for those who come in between.
Connections over TCP count too, but have no file that could be moved away: nothing here shuts them out.
"""

import logging
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import zmq

from ipc.sockets import Socket

log = logging.getLogger(__name__)

LOOK_EVERY_US: Final = 100_000
"""While the door is shut."""
_DESCRIPTORS: Final = Path("/proc/self/fd")
_AWAY: Final = ".full"
_EVENT: Final = struct.Struct("=Hi")
"""First part of a monitor's message: what happened, and the descriptor."""


class Turnstile:
    """Watches the door's socket. `descriptors_max`: what this process may have open."""

    def __init__(self, door: Socket, endpoints: Sequence[str], descriptors_max: int) -> None:
        self._door = door
        self._paths = [Path(one.removeprefix("ipc://")) for one in endpoints if one.startswith("ipc:///")]
        self._open_max = descriptors_max // 2
        self._open = 0
        """At the last count, and those accepted since: never less than there are."""
        self._look_at_us: int | None = None
        """While the door is shut: when to count again."""
        self.arrivals: Socket = door.get_monitor_socket(zmq.EVENT_ACCEPTED)
        """Has something to read when somebody came in."""
        for path in self._paths:
            _away(path).unlink(missing_ok=True)
        self._count()

    def take_arrivals(self, now_us: int) -> list[int]:
        """Count who came in, and shut the door if that were too many. Returns their descriptors."""
        descriptors = []
        while True:
            try:
                event = self.arrivals.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                break
            descriptors.append(_EVENT.unpack(event[0])[1])
        self._open += len(descriptors)
        if self._open >= self._open_max and self._look_at_us is None:
            self._count()
            if self._open >= self._open_max:
                self._shut(now_us)
        return descriptors

    def pass_time(self, now_us: int) -> None:
        """Open the door again when some have left."""
        if self._look_at_us is None or now_us < self._look_at_us:
            return
        self._look_at_us = now_us + LOOK_EVERY_US
        self._count()
        # Not at the first who leaves, or the door would swing.
        if self._open < self._open_max - self._open_max // 8:
            self._look_at_us = None
            self._move(is_shut=False)
            log.info("connections are taken again")

    def close(self) -> None:
        """Let go of the door, and of the files that were moved away."""
        self._door.disable_monitor()
        self.arrivals.close(linger=0)
        for path in self._paths:
            _away(path).unlink(missing_ok=True)

    def _count(self) -> None:
        self._open = len(os.listdir(_DESCRIPTORS))  # noqa: PTH208 - names are enough

    def _shut(self, now_us: int) -> None:
        self._look_at_us = now_us + LOOK_EVERY_US
        self._move(is_shut=True)
        log.warning("no more connections are taken: of %d descriptors, half are in use", 2 * self._open_max)

    def _move(self, *, is_shut: bool) -> None:
        for path in self._paths:
            source, target = (path, _away(path)) if is_shut else (_away(path), path)
            try:
                source.rename(target)
            except OSError as error:
                log.error("cannot move %s to %s: %s", source, target, error)  # noqa: TRY400 - a line is enough


def _away(path: Path) -> Path:
    return path.with_name(path.name + _AWAY)
