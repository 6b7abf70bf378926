"""Lanes: which waiting frame is started next, a light one or a heavy one. Pure.

A heavy frame keeps a worker for so long that a light one behind it would take a hundred times as long as by itself. So
each kind has a lane of its own, with priorities and turns of its own: a light frame is never started later because of
a heavy one with a higher priority, nor the other way round. While light frames are about, heavy ones have a quarter of
the places in work and half of the arena, and always one place and as much of the arena as one of them needs: who finds
no room gets it kept free at the end of the arena, and light frames use the rest. Among themselves, heavy ones have all
but one place. What they get of the workers is up to `omnishotd.broker.crew`.
"""

from typing import Final, Protocol

from ipc.telemetry import LaneFigures
from omnishotd.broker.cost import HEAVY_US
from omnishotd.broker.frame import Frame
from omnishotd.broker.schedule import Schedule
from omnishotd.broker.sharing import Sharing

LIGHT_US: Final = 2_000_000
"""Light frames are about until so long after the last one was submitted."""


class InWork(Protocol):
    """What is in work now, as the ledger knows it."""

    working: int
    heavy_working: int

    @property
    def arena_bytes(self) -> int:
        """All of the arena."""

    @property
    def heavy_bytes(self) -> int:
        """What heavy frames have of it."""


class Lanes:
    """Chooses from the schedule. A round: `begin`, then `next` until it says None; each frame is started or found no
    room."""

    def __init__(self, schedule: Schedule, in_work: InWork, jobs_max: int) -> None:
        self._schedule = schedule
        self._in_work = in_work
        self._sharing = Sharing(jobs_max)
        self._light_until_us = 0
        self._places = 0
        self._is_shared = False
        self._is_light_stuck = self._is_heavy_stuck = False
        self.kept_bytes = 0
        """At the end of the arena, kept free for the heavy frame that waits for room."""

    def submitted(self, frame: Frame, now_us: int) -> None:
        """Note that a frame was admitted."""
        self._sharing.submitted(frame.producer, now_us)
        if not frame.is_heavy:
            self._light_until_us = now_us + LIGHT_US

    def is_shared(self, now_us: int) -> bool:
        """Tell whether light frames are about."""
        return (
            now_us < self._light_until_us
            or self._in_work.working > self._in_work.heavy_working
            or self._schedule.count > self._schedule.heavy_count
        )

    def is_at_capacity(self, now_us: int) -> bool:
        """Tell whether no frame could be started now, however many came."""
        return self._in_work.working >= self._sharing.places(now_us)

    def begin(self, now_us: int, recalled: Frame | None = None) -> None:
        """Begin a round. `recalled`: a heavy frame, in work already, that waits for room and goes before all others."""
        self._places = self._sharing.places(now_us)
        self._is_shared = self.is_shared(now_us)
        self._is_light_stuck = False
        self._is_heavy_stuck = recalled is not None
        if recalled is not None:
            self.kept_bytes = _room_bytes(recalled)
        elif self.kept_bytes and self._next_heavy() is None:
            self.kept_bytes = 0

    def next(self) -> Frame | None:
        """Return the frame to be started now, if any. Light ones first: what they leave is known then."""
        if self._in_work.working >= self._places:
            return None
        light = self._next_light()
        if not self._schedule.heavy_count:
            return light
        heavy = self._next_heavy()
        if light is None or (heavy is not None and self._places == 1 and _goes_before(heavy, light)):
            return heavy
        return light

    def started(self, frame: Frame) -> None:
        """Note that a frame was started."""
        if frame.is_heavy and self.kept_bytes:
            self.kept_bytes = 0
            self._is_light_stuck = False

    def found_no_room(self, frame: Frame) -> None:
        """Note that the arena has no room for a frame now: its lane waits until the next round."""
        if frame.is_heavy:
            self._is_heavy_stuck = True
            self.kept_bytes = _room_bytes(frame)
        else:
            self._is_light_stuck = True

    def figures(self, now_us: int) -> LaneFigures:
        """Tell operators."""
        return LaneFigures(
            heavy_us=HEAVY_US,
            waiting=self._schedule.heavy_count,
            working=self._in_work.heavy_working,
            kept_bytes=self.kept_bytes,
            is_shared=self.is_shared(now_us),
        )

    def _next_light(self) -> Frame | None:
        in_work = self._in_work
        heavy = in_work.heavy_working + self._schedule.heavy_count
        places = self._places
        if heavy and places > 1:
            places -= min(heavy, self._heavy_places())
        if self._is_light_stuck or in_work.working - in_work.heavy_working >= places:
            return None
        return self._schedule.peek()

    def _next_heavy(self) -> Frame | None:
        if self._is_heavy_stuck or self._in_work.heavy_working >= self._heavy_places():
            return None
        frame = self._schedule.peek(is_heavy=True)
        if frame is None or not self._in_work.heavy_bytes:
            return frame
        total_bytes = self._in_work.arena_bytes
        share_bytes = total_bytes // 2 if self._is_shared else total_bytes - total_bytes // 8
        return frame if self._in_work.heavy_bytes + _room_bytes(frame) <= share_bytes else None

    def _heavy_places(self) -> int:
        """How many heavy frames may be in work. One place is always left, unless there is but one."""
        return max(1, self._places // 4 if self._is_shared else self._places - 1)


def _room_bytes(frame: Frame) -> int:
    return frame.plan.room_bytes(len(frame.payload), is_lent=frame.loan is not None)


def _goes_before(one: Frame, other: Frame) -> bool:
    """Tell who has the only place, for which lanes do not matter: the higher priority, then who came first."""
    return (-one.request.priority, one.number) < (-other.request.priority, other.number)
