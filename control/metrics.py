"""Metrics: the figures of the whole pipeline, as `GET /api/metrics` shows them."""

from datetime import UTC, datetime

import msgspec

from control.collector import Collector, PipelineFigures
from control.presence import Presence
from control.system import SystemFigures
from ipc.histogram import HistogramSnapshot, quantile
from ipc.settings import Settings


class FrameCounts(msgspec.Struct, frozen=True):
    """Counts of frames since the control plane knows them, over all lives of the broker.

    received = completed + failed + rejected + cancelled + in_flight + queued.
    """

    received: int
    completed: int
    failed: int
    rejected: int
    cancelled: int
    in_flight: int
    queued: int
    queued_bytes: int
    retried: int
    lost: int
    """Of the failed ones: those that a broker held when it died."""
    replies_dropped: int
    stale_answers: int
    malformed: int


class Latency(msgspec.Struct, frozen=True):
    """Quantiles in milliseconds, off by 3.2 % at most; None before the first."""

    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


class StageMetrics(msgspec.Struct, frozen=True):
    """One stage over all its workers."""

    workers: int
    """That are ready."""
    busy: int
    completed: int
    failed: int
    utilization: float
    """Mean share of the last 10 s, 0 to 1, that the ready workers spent in this stage."""
    latency_ms: Latency


class ArenaMetrics(msgspec.Struct, frozen=True):
    """The shared memory."""

    total_bytes: int
    used_bytes: int
    high_water_bytes: int
    largest_free_bytes: int


class Metrics(msgspec.Struct, frozen=True):
    """Body of `GET /api/metrics`."""

    timestamp: str
    frames: FrameCounts
    throughput_fps: float
    error_rate: float
    errors: dict[str, int]
    latency_ms: Latency
    stages: dict[str, StageMetrics]
    arena: ArenaMetrics | None
    """None until a broker has spoken."""
    system: SystemFigures


def measure(collector: Collector, settings: Settings, system: SystemFigures, now_s: float) -> Metrics:
    """Take all figures at one moment."""
    presence = collector.presence(now_s)
    pipeline = collector.pipeline(now_s)
    stages = dict.fromkeys(stage for pool in settings.pipeline.pools for stage in pool.stages)
    return Metrics(
        timestamp=datetime.now(UTC).isoformat(timespec="milliseconds"),
        frames=_frames(pipeline),
        throughput_fps=round(pipeline.throughput_fps, 2),
        error_rate=round(pipeline.error_rate, 4),
        errors={code.value: count for code, count in pipeline.errors.items()},
        latency_ms=latency(pipeline.latency),
        stages={stage: _stage(stage, collector, presence, settings) for stage in stages},
        arena=_arena(presence),
        system=system,
    )


def latency(snapshot: HistogramSnapshot) -> Latency:
    """Summarize a histogram."""
    if not snapshot.counts:
        return Latency(None, None, None, None)
    p50, p95, p99 = (round(quantile(snapshot, q) / 1000, 3) for q in (0.5, 0.95, 0.99))
    return Latency(p50, p95, p99, snapshot.max_us / 1000)


def _frames(pipeline: PipelineFigures) -> FrameCounts:
    frames = pipeline.frames
    return FrameCounts(
        received=frames.received,
        completed=frames.completed,
        failed=frames.failed,
        rejected=frames.rejected,
        cancelled=frames.cancelled,
        in_flight=frames.in_flight,
        queued=frames.queued,
        queued_bytes=frames.queued_bytes,
        retried=frames.retried,
        lost=pipeline.lost,
        replies_dropped=frames.replies_dropped,
        stale_answers=frames.stale_answers,
        malformed=frames.malformed,
    )


def _stage(stage: str, collector: Collector, presence: Presence, settings: Settings) -> StageMetrics:
    total = collector.stage(stage, presence.now_s)
    pipeline = settings.pipeline
    pools = [pool.name for pool in pipeline.pools if stage in pipeline.stages_run_by(pool)]
    ready = [service for pool in pools for service in presence.of_kind(pool) if service.state == "ready"]
    spent = sum(collector.utilization(service.name, stage, presence.now_s) for service in ready)
    return StageMetrics(
        workers=len(ready),
        busy=sum(presence.is_busy(service) for service in ready),
        completed=total.completed,
        failed=total.failed,
        utilization=round(spent / max(len(ready), 1), 4),
        latency_ms=latency(total.latency),
    )


def _arena(presence: Presence) -> ArenaMetrics | None:
    if presence.broker is None:
        return None
    arena = presence.broker.message.arena
    return ArenaMetrics(arena.total_bytes, arena.used_bytes, arena.high_water_bytes, arena.largest_free_bytes)
