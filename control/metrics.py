"""Metrics: the figures of the whole pipeline, as `GET /api/metrics` shows them."""

from collections import Counter
from datetime import UTC, datetime

import msgspec

from control.accounts import PipelineFigures
from control.alerts import Alert
from control.collector import Collector
from control.presence import Presence
from control.system import SystemFigures
from ipc.histogram import HistogramSnapshot, quantile
from ipc.settings import Settings
from ipc.telemetry import CanaryFigures, ServiceFigures


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
    payload_bytes: int
    """Of all payloads that came with a request."""
    reply_bytes: int
    """Of all pictures that went out with a reply."""
    backlog_bytes: int
    """Of replies that wait for producers who are slow to read."""


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
    """Since the start."""
    recent_latency_ms: Latency
    """Of the last 10 s."""


class WorkerMetrics(msgspec.Struct, frozen=True):
    """One worker that is ready."""

    service: str
    utilization: float
    """Share of the last 10 s, 0 to 1, that it worked."""
    tasks: int
    """Since its process was started."""


class QueuedProducer(msgspec.Struct, frozen=True):
    """Waiting frames of one producer."""

    producer: str
    frames: int
    bytes: int


class QueueMetrics(msgspec.Struct, frozen=True):
    """The frames that wait."""

    frames: int
    frames_max: int
    bytes: int
    bytes_max: int
    by_priority: dict[str, int]
    """Only priorities of which frames wait."""
    by_producer: list[QueuedProducer]
    """The 16 with the most, most first."""
    wait_ms: Latency
    """From arrival to the start of work, since the start."""


class RestartMetrics(msgspec.Struct, frozen=True):
    """Processes that were started again."""

    total: int
    by_cause: dict[str, int]


class CanaryMetrics(msgspec.Struct, frozen=True):
    """The pictures that the daemon sends through all its stages to see that they work."""

    passed: int
    failed: int
    age_s: float | None
    """Since the last one that passed."""
    took_ms: float | None


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
    """Since the start."""
    recent_latency_ms: Latency
    """Of the last 10 s."""
    queue: QueueMetrics
    stages: dict[str, StageMetrics]
    workers: list[WorkerMetrics]
    restarts: RestartMetrics
    canary: CanaryMetrics
    arena: ArenaMetrics | None
    """None until a broker has spoken."""
    system: SystemFigures
    alerts: list[Alert]
    """Those that fire, and those resolved in the last 10 minutes."""


def measure(
    collector: Collector, settings: Settings, system: SystemFigures, alerts: list[Alert], now_s: float
) -> Metrics:
    """Take all figures at one moment."""
    presence = collector.presence(now_s)
    pipeline = collector.pipeline(now_s)
    return Metrics(
        timestamp=datetime.now(UTC).isoformat(timespec="milliseconds"),
        frames=_frames(pipeline),
        throughput_fps=round(pipeline.throughput_fps, 2),
        error_rate=round(pipeline.error_rate, 4),
        errors={code.value: count for code, count in pipeline.sums.errors.items()},
        latency_ms=latency(pipeline.sums.latency),
        recent_latency_ms=latency(pipeline.recent_latency),
        queue=_queue(pipeline, presence, settings),
        stages={stage: _stage(stage, collector, presence, settings) for stage in settings.pipeline.stages},
        workers=_workers(collector, presence, settings),
        restarts=_restarts(presence),
        canary=_canary(presence),
        arena=_arena(presence),
        system=system,
        alerts=alerts,
    )


def latency(snapshot: HistogramSnapshot) -> Latency:
    """Summarize a histogram."""
    if not snapshot.counts:
        return Latency(None, None, None, None)
    p50, p95, p99 = (round(quantile(snapshot, q) / 1000, 3) for q in (0.5, 0.95, 0.99))
    return Latency(p50, p95, p99, snapshot.max_us / 1000)


def worker_utilization(collector: Collector, service: ServiceFigures, settings: Settings, now_s: float) -> float:
    """Share of the last 10 s, 0 to 1, that a worker worked, on whatever stage."""
    stages = settings.pipeline.stages
    return round(min(sum(collector.utilization(service.name, stage, now_s) for stage in stages), 1.0), 4)


def _frames(pipeline: PipelineFigures) -> FrameCounts:
    frames = pipeline.sums.frames
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
        lost=pipeline.sums.lost,
        replies_dropped=frames.replies_dropped,
        stale_answers=frames.stale_answers,
        malformed=frames.malformed,
        payload_bytes=frames.payload_bytes,
        reply_bytes=frames.reply_bytes,
        backlog_bytes=frames.backlog_bytes,
    )


def _queue(pipeline: PipelineFigures, presence: Presence, settings: Settings) -> QueueMetrics:
    broker = presence.broker.message if presence.broker else None
    return QueueMetrics(
        frames=pipeline.sums.frames.queued,
        frames_max=settings.pipeline.queue_limit,
        bytes=pipeline.sums.frames.queued_bytes,
        bytes_max=settings.pipeline.queue_max_bytes,
        by_priority={
            str(priority): count for priority, count in enumerate(broker.queued_by_priority if broker else ()) if count
        },
        by_producer=[
            QueuedProducer(told.producer, told.frames, told.bytes) for told in (broker.producers if broker else ())
        ],
        wait_ms=latency(pipeline.sums.queue_latency),
    )


def _stage(stage: str, collector: Collector, presence: Presence, settings: Settings) -> StageMetrics:
    sums = collector.stage(stage, presence.now_s)
    pipeline = settings.pipeline
    pools = [pool.name for pool in pipeline.pools if stage in pipeline.stages_run_by(pool)]
    ready = [service for pool in pools for service in presence.of_kind(pool) if service.state == "ready"]
    spent = sum(collector.utilization(service.name, stage, presence.now_s) for service in ready)
    return StageMetrics(
        workers=len(ready),
        busy=sum(presence.is_busy(service) for service in ready),
        completed=sums.total.completed,
        failed=sums.total.failed,
        utilization=round(spent / max(len(ready), 1), 4),
        latency_ms=latency(sums.total.latency),
        recent_latency_ms=latency(sums.recent_latency),
    )


def _workers(collector: Collector, presence: Presence, settings: Settings) -> list[WorkerMetrics]:
    workers = []
    for pool in settings.pipeline.pools:
        for service in presence.of_kind(pool.name):
            heard = presence.worker(service)
            if service.state == "ready" and heard is not None:
                share = worker_utilization(collector, service, settings, presence.now_s)
                workers.append(WorkerMetrics(service.name, share, heard.message.tasks))
    return workers


def _restarts(presence: Presence) -> RestartMetrics:
    causes: Counter[str] = Counter()
    for service in presence.services:
        causes.update({cause.value: count for cause, count in service.restarts_by_cause.items()})
    return RestartMetrics(causes.total(), dict(causes))


def _canary(presence: Presence) -> CanaryMetrics:
    canary = presence.broker.message.canary if presence.broker else CanaryFigures()
    age_s = None if canary.passed_at_s is None else round(max(presence.now_s - canary.passed_at_s, 0.0), 3)
    return CanaryMetrics(canary.passed, canary.failed, age_s, canary.took_us / 1000 if canary.passed else None)


def _arena(presence: Presence) -> ArenaMetrics | None:
    if presence.broker is None:
        return None
    arena = presence.broker.message.arena
    return ArenaMetrics(arena.total_bytes, arena.used_bytes, arena.high_water_bytes, arena.largest_free_bytes)
