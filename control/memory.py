"""Memory: who holds how much, whether it grows, and what an operator can do about it. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import msgspec

from control import advice
from control.history import MemoryHistory, Record
from control.presence import Presence
from control.system import SystemFigures
from control.trend import Growth
from ipc.settings import Settings

ARENA_FULL_S: Final = 30.0
"""Frames that wait for room this long have more before them than one burst."""
KEPT_BYTES_MIN: Final = 32 << 20
"""Less is not worth an operator's time. Malloc is told to keep up to 64 MiB (`omnishotd.supervisor.children`)."""
KEPT_BYTES_MIN_UNDER_PRESSURE: Final = 8 << 20
IDLE_S: Final = 60.0
"""What a process that worked within this keeps, it is about to use."""
LARGEST: Final = 3
"""Owners and services named in a sentence."""


class Verdict(StrEnum):
    """What the figures mean, best first."""

    STABLE = "stable"
    GROWING = "growing"
    """A process takes more and more; its name stands in the recommendations."""
    PRESSURE = "pressure"
    """The host, or the arena, has hardly any left."""


class Trend(msgspec.Struct, frozen=True):
    """A straight line through the low points of a window, by least squares, after one jump was levelled out.

    Of what a process holds: private pages without what malloc keeps unused. See `control.trend`, `control.history`.
    """

    window_s: float
    slope_bytes_per_minute: float
    bytes_per_1000_frames: float | None
    """None where too few frames were done in the window."""
    confidence: float
    """0 to 1: the share of the variance that the line explains (R squared)."""


class ProcessMemory(msgspec.Struct, frozen=True):
    """One process. None is what could not be read."""

    service: str
    pid: int
    pss_bytes: int | None
    """Its own pages, and its share of those that it has in common with others: these add up."""
    uss_bytes: int | None
    """What would be free if it ended."""
    rss_bytes: int | None
    heap_used_bytes: int | None
    """Handed out by malloc."""
    heap_kept_bytes: int | None
    """Given back to malloc, which keeps it for the next time."""
    verdict: Verdict
    trend: Trend | None
    """None until there are enough samples. Of a process that grows, the one that shows it."""


class MemoryTotal(msgspec.Struct, frozen=True):
    """Sums over all processes whose figures could be read."""

    pss_bytes: int
    uss_bytes: int
    rss_bytes: int


class ArenaOwner(msgspec.Struct, frozen=True):
    """Who holds how much of the arena."""

    owner: str
    """A worker; `waiting` for frames in work that no worker has at the moment."""
    bytes: int
    frames: int
    abandoned: int
    """Of these frames: answered already, held until their worker answers or dies."""


class ArenaMemory(msgspec.Struct, frozen=True):
    """The shared memory."""

    total_bytes: int
    used_bytes: int
    high_water_bytes: int
    largest_free_bytes: int
    owners: list[ArenaOwner]


class MemoryAnalysis(msgspec.Struct, frozen=True):
    """Body of `GET /api/memory-analysis`."""

    timestamp: str
    verdict: Verdict
    total: MemoryTotal
    processes: list[ProcessMemory]
    arena: ArenaMemory | None
    trend: Trend | None
    """Of the sum of all processes."""
    recommendations: list[str]
    """Sentences, the most urgent first; empty if there is nothing to do."""


def analyse(history: MemoryHistory, presence: Presence, system: SystemFigures, settings: Settings) -> MemoryAnalysis:
    """Say who holds how much, whether it grows, and what to do."""
    records = history.records(presence.now_s)
    arena = arena_memory(presence)
    total = MemoryTotal(
        _sum(record.figures.pss_bytes for record in records),
        _sum(record.figures.uss_bytes for record in records),
        _sum(record.figures.rss_bytes for record in records),
    )
    pressure = [
        *_on_host(records, total, system.memory_percent, settings.alerts.memory_percent),
        *_on_arena(arena, history.arena_full_s(presence.now_s)),
    ]
    growing = [record for record in records if record.is_growing]
    verdict = Verdict.PRESSURE if pressure else Verdict.GROWING if growing else Verdict.STABLE
    return MemoryAnalysis(
        timestamp=datetime.now(UTC).isoformat(timespec="milliseconds"),
        verdict=verdict,
        total=total,
        processes=[_process(record) for record in records],
        arena=arena,
        trend=_trend(history.total),
        recommendations=[*pressure, *_on_growing(growing, presence), *_on_kept(records, is_pressing=bool(pressure))],
    )


def arena_memory(presence: Presence) -> ArenaMemory | None:
    """Describe the shared memory, as the broker told last; None until it has."""
    if presence.broker is None:
        return None
    broker = presence.broker.message
    arena = broker.arena
    return ArenaMemory(
        total_bytes=arena.total_bytes,
        used_bytes=arena.used_bytes,
        high_water_bytes=arena.high_water_bytes,
        largest_free_bytes=arena.largest_free_bytes,
        owners=[ArenaOwner(owner.owner, owner.bytes, owner.frames, owner.abandoned) for owner in broker.owners],
    )


def _process(record: Record) -> ProcessMemory:
    figures, heap = record.figures, record.heap
    return ProcessMemory(
        service=record.service,
        pid=figures.pid,
        pss_bytes=figures.pss_bytes,
        uss_bytes=figures.uss_bytes,
        rss_bytes=figures.rss_bytes,
        heap_used_bytes=heap.used_bytes if heap else None,
        heap_kept_bytes=heap.kept_bytes if heap else None,
        verdict=Verdict.GROWING if record.is_growing else Verdict.STABLE,
        trend=_trend(record.growth),
    )


def _trend(growth: Growth | None) -> Trend | None:
    if growth is None:
        return None
    per_frame = growth.bytes_per_frame
    return Trend(
        window_s=round(growth.span_s, 1),
        slope_bytes_per_minute=round(growth.bytes_per_s * 60, 1),
        bytes_per_1000_frames=None if per_frame is None else round(per_frame * 1000, 1),
        confidence=round(growth.confidence, 4),
    )


def _on_host(records: list[Record], total: MemoryTotal, percent: float | None, threshold: float) -> list[str]:
    if percent is None or not threshold or percent < threshold:
        return []
    shares = [(record.service, record.figures.pss_bytes or 0) for record in records]
    largest = sorted(shares, key=lambda share: share[1], reverse=True)[:LARGEST]
    return [advice.on_full_host(percent, threshold, total.pss_bytes, largest)]


def _on_arena(arena: ArenaMemory | None, full_s: float) -> list[str]:
    if arena is None or full_s < ARENA_FULL_S:
        return []
    largest = [(owner.owner, owner.bytes) for owner in arena.owners[:LARGEST]]
    return [advice.on_full_arena(arena.total_bytes, arena.used_bytes, full_s, largest)]


def _on_growing(growing: list[Record], presence: Presence) -> list[str]:
    kinds = {service.name: service.kind for service in presence.services}
    told = [(record, record.growth) for record in growing if record.growth is not None]
    told.sort(key=lambda pair: pair[1].bytes_per_s, reverse=True)
    return [
        advice.on_growth(record.service, kinds.get(record.service, ""), record.figures.pid, growth)
        for record, growth in told
    ]


def _on_kept(records: list[Record], *, is_pressing: bool) -> list[str]:
    found = []
    for record in records:
        heap = record.heap
        if heap is None or (record.idle_s < IDLE_S and not is_pressing):
            continue
        enough_bytes = KEPT_BYTES_MIN_UNDER_PRESSURE if is_pressing else KEPT_BYTES_MIN
        if heap.kept_bytes >= enough_bytes:
            found.append((heap.kept_bytes, record.service))
    return [advice.on_kept(service, kept_bytes) for kept_bytes, service in sorted(found, reverse=True)]


def _sum(figures: Iterable[int | None]) -> int:
    return sum(figure for figure in figures if figure is not None)
