"""History: what each process's memory was, and whether it grows. Pure: the caller says what time it is.

What is followed is what a process holds: its private pages, without what malloc keeps there unused, and without what it
holds on purpose and within bounds. So neither the arena, nor a large picture whose room malloc keeps, nor a full queue
looks like growth.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from control.presence import Presence
from control.processes import ProcessFigures
from control.trend import WINDOWS, Growth, Judge, Sample
from ipc.telemetry import ArenaFigures, HeapFigures, ServiceFigures

ARENA_SHARE_FULL: Final = 0.9


@dataclass(frozen=True, slots=True)
class Record:
    """The newest about one process."""

    service: str
    figures: ProcessFigures
    heap: HeapFigures | None
    """None where malloc does not tell."""
    growth: Growth | None
    """None until there are samples enough."""
    is_growing: bool
    idle_s: float
    """Since it last did a frame, as far as is known."""


class MemoryHistory:
    """Takes the figures of all processes at intervals; at most as many are remembered as there are services."""

    def __init__(self) -> None:
        self._lives: dict[str, _Life] = {}
        self._total = Judge()
        self._arena_full_since_s: float | None = None

    def add(
        self,
        now_s: float,
        processes: Mapping[str, ProcessFigures],
        presence: Presence,
        completed: int,
        own_heap: HeapFigures | None = None,
    ) -> None:
        """Take what was sampled now. `completed` frames are the whole pipeline's; `own_heap` is this process's."""
        lives: dict[str, _Life] = {}
        for service in presence.services:
            figures = processes.get(service.name)
            if figures is None or figures.pid != service.pid:
                continue
            life = self._lives.get(service.name)
            if life is None or life.figures.pid != figures.pid:
                life = _Life(service, figures, now_s)
            heap = own_heap if service.kind == "control" else heap_of(service, presence)
            life.add(now_s, figures, heap, frames_of(service, presence, completed), on_purpose_bytes(service, presence))
            lives[service.name] = life
        self._lives = lives
        self._total.add(Sample(now_s, sum(life.held_bytes for life in lives.values()), completed))
        self._note_arena(now_s, presence.broker.message.arena if presence.broker else None)

    def forget(self, service: str) -> None:
        """Begin anew with a process: after a trim, its figures mean something else."""
        self._lives.pop(service, None)

    def records(self, now_s: float) -> list[Record]:
        """The newest about each process, in the order of the services."""
        return [life.record(service, now_s) for service, life in self._lives.items()]

    @property
    def total(self) -> Growth | None:
        """Growth of all together."""
        return self._total.growth

    def arena_full_s(self, now_s: float) -> float:
        """For how long the arena has been nearly full; 0 if it is not."""
        return 0.0 if self._arena_full_since_s is None else now_s - self._arena_full_since_s

    def _note_arena(self, now_s: float, arena: ArenaFigures | None) -> None:
        if arena is None or arena.used_bytes < ARENA_SHARE_FULL * arena.total_bytes:
            self._arena_full_since_s = None
        elif self._arena_full_since_s is None:
            self._arena_full_since_s = now_s


class _Life:
    """One process."""

    def __init__(self, service: ServiceFigures, figures: ProcessFigures, now_s: float) -> None:
        # Broker and control plane fill windows and caches over minutes, up to their bounds: they are given longer.
        is_slow = service.kind in {"broker", "control"}
        self._judge = Judge(WINDOWS[1:] if is_slow else WINDOWS)
        self._heap: HeapFigures | None = None
        self._frames: int | None = None
        self._worked_at_s = now_s
        self.figures = figures
        self.held_bytes = 0

    def add(
        self, now_s: float, figures: ProcessFigures, heap: HeapFigures | None, frames: int | None, on_purpose_bytes: int
    ) -> None:
        if frames != self._frames:
            self._worked_at_s = now_s
        self.figures, self._heap, self._frames = figures, heap, frames
        if figures.private_bytes is None:
            return
        kept_bytes = heap.kept_bytes if heap else 0
        self.held_bytes = max(figures.private_bytes - kept_bytes - on_purpose_bytes, 0)
        self._judge.add(Sample(now_s, self.held_bytes, frames))

    def record(self, service: str, now_s: float) -> Record:
        judge = self._judge
        idle_s = now_s - self._worked_at_s
        return Record(service, self.figures, self._heap, judge.growth, judge.is_growing, idle_s)


def heap_of(service: ServiceFigures, presence: Presence) -> HeapFigures | None:
    """What malloc of a service's present process told last."""
    if service.kind == "supervisor":
        heap = presence.supervisor.message.heap if presence.supervisor else None
    elif service.kind == "broker":
        heap = presence.broker.message.heap if presence.broker else None
    else:
        worker = presence.worker(service)
        heap = worker.message.heap if worker else None
    # No living process has used nothing: it does not know.
    return heap if heap is not None and heap.used_bytes else None


def frames_of(service: ServiceFigures, presence: Presence, completed: int) -> int | None:
    """What a service has done until now; None where it does no frames."""
    if service.kind in {"supervisor", "control"}:
        return None
    if service.kind == "broker":
        return completed
    worker = presence.worker(service)
    return worker.message.tasks if worker else None


def on_purpose_bytes(service: ServiceFigures, presence: Presence) -> int:
    """What a service says that it holds for others, within bounds of its own."""
    if service.kind == "broker" and presence.broker:
        broker = presence.broker.message
        return broker.frames.queued_bytes + broker.frames.backlog_bytes + broker.remembered_bytes
    return 0
