"""Families: all that Prometheus is told, by its conventions: base units, `_total`, one prefix.

Counters and histograms are the collector's sums, as they are; nothing is counted here. Labels take values from closed
sets and from the names of services, never from producers: what they send must not decide how much a Prometheus keeps.
A gauge without a value is left out, it is not 0.

Imported with the first scrape only: the library costs memory that a host without Prometheus need not spend.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from prometheus_client import exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics_exposition

from control.accounts import PipelineFigures
from control.health import Status
from control.memory import Verdict
from control.observer import Observer
from control.presence import Presence
from control.rules import RULES
from control.services import Services
from control.webhook import Webhook
from ipc.causes import Cause
from ipc.errors import ErrorCode
from ipc.histogram import HistogramSnapshot, bucket_of
from ipc.settings import Settings
from ipc.telemetry import BrokerTelemetry, StageFigures

PREFIX: Final = "omnishotd_"
EDGES_US: Final = tuple((1 << bits) - 1 for bits in range(7, 26))
"""Upper ends of buckets of Prometheus' histograms, 127 us to 34 s: the last microsecond of every octave.

`le` includes its own value, and ours are whole microseconds: the longest duration before a power of two is where one
of our buckets ends, so the cumulative counts are exact. (A power of two itself begins the next bucket.)
"""
_EDGES: Final = tuple((repr(edge_us / 1e6), bucket_of(edge_us)) for edge_us in EDGES_US)

OPENMETRICS_END: Final = b"# EOF\n"

STATES: Final = ("spawning", "ready", "draining", "stopped", "backoff", "failed")


def families(observer: Observer, now_s: float) -> Iterator[Metric]:
    """Make all families, of one moment as long as nobody else runs in between."""
    collector, settings = observer.collector, observer.settings
    presence, pipeline = collector.presence(now_s), collector.pipeline(now_s)
    stages = {stage: collector.stage(stage, now_s).total for stage in settings.pipeline.stages}
    services = observer.services()
    yield from _frames(pipeline)
    yield from _queue(presence, pipeline, settings)
    yield from _stages(stages)
    yield from _workers(services, settings)
    yield from _services(services)
    yield from _processes(observer, services)
    yield from _daemon(observer, presence)
    yield from _host(observer)
    if presence.broker:
        yield from _broker(presence.broker.message, now_s)


def text(family: Metric) -> bytes:
    """Write one family in Prometheus' text format, 0.0.4."""
    return exposition.generate_latest(_Single(family))


def openmetrics(family: Metric) -> bytes:
    """Write one family as a part of an OpenMetrics exposition, 1.0.0; the whole ends with `OPENMETRICS_END`."""
    written: bytes = openmetrics_exposition.generate_latest(_Single(family))  # type: ignore[no-untyped-call]  # untyped
    return written.removesuffix(OPENMETRICS_END)


@dataclass(frozen=True, slots=True)
class _Single:
    """One family in the place of a registry. There is no global one: what it held, nobody could tell."""

    family: Metric

    def collect(self) -> list[Metric]:
        return [self.family]


def _frames(pipeline: PipelineFigures) -> Iterator[Metric]:
    sums = pipeline.sums
    frames = sums.frames
    yield _counter("frames_received", "Requests that came.", frames.received)
    yield _labelled_counter(
        "frames_ended",
        "Requests that were answered, or given up with their producer, by outcome.",
        "outcome",
        {
            "completed": frames.completed,
            "failed": frames.failed,
            "rejected": frames.rejected,
            "cancelled": frames.cancelled,
        },
    )
    yield _gauge("frames_in_flight", "Frames in work.", frames.in_flight)
    yield _gauge("frames_queued", "Frames that wait for work.", frames.queued)
    yield _counter("frames_retried", "Frames that were tried again after the death of a worker.", frames.retried)
    yield _counter("frames_lost", "Of the failed frames: those a broker held when it died.", sums.lost)
    yield _counter("replies_dropped", "Replies whose producer had gone or did not read.", frames.replies_dropped)
    yield _counter("stale_answers", "Answers of workers that came too late to count.", frames.stale_answers)
    yield _counter("malformed_messages", "Messages of producers that were no request at all.", frames.malformed)
    errors = {code.value: sums.errors.get(code, 0) for code in ErrorCode}
    yield _labelled_counter("errors", "Error replies, by code of the protocol.", "code", errors)
    yield _counter("received_bytes", "Bytes of all payloads that came with a request.", frames.payload_bytes)
    yield _counter("sent_bytes", "Bytes of all pictures that went out with a reply.", frames.reply_bytes)
    yield _histogram("frame_duration_seconds", "From receipt to reply, of completed frames.", sums.latency)


def _queue(presence: Presence, pipeline: PipelineFigures, settings: Settings) -> Iterator[Metric]:
    by_priority = enumerate(presence.broker.message.queued_by_priority if presence.broker else ())
    frames = {str(priority): count for priority, count in by_priority}
    yield _labelled_gauge("queue_frames", "Frames that wait, by priority.", "priority", frames)
    yield _gauge("queue_bytes", "Bytes of the payloads that wait.", pipeline.sums.frames.queued_bytes)
    yield _gauge("queue_limit_frames", "Setting pipeline.queue_limit.", settings.pipeline.queue_limit)
    yield _gauge("queue_limit_bytes", "Setting pipeline.queue_max_bytes.", settings.pipeline.queue_max_bytes)
    yield _histogram("queue_wait_seconds", "From receipt to the start of work.", pipeline.sums.queue_latency)


def _stages(stages: Mapping[str, StageFigures]) -> Iterator[Metric]:
    steps = CounterMetricFamily(f"{PREFIX}stage_steps", "Steps that workers ended.", labels=("stage", "outcome"))
    duration = HistogramMetricFamily(
        f"{PREFIX}stage_duration_seconds", "Of finished steps, without waiting.", labels=("stage",)
    )
    for stage, figures in stages.items():
        steps.add_metric((stage, "completed"), figures.completed)
        steps.add_metric((stage, "failed"), figures.failed)
        duration.add_metric((stage,), _buckets(figures.latency), figures.latency.sum_us / 1e6)
    busy_s = {stage: figures.busy_us / 1e6 for stage, figures in stages.items()}
    yield steps
    yield _labelled_counter("stage_busy_seconds", "Time that workers spent in a stage.", "stage", busy_s)
    yield duration


def _workers(services: Services, settings: Settings) -> Iterator[Metric]:
    pools = settings.pipeline.pools
    ready = {
        pool.name: sum(service.kind == pool.name and service.state == "ready" for service in services.services)
        for pool in pools
    }
    yield _labelled_gauge("workers_ready", "Workers that are ready, by pool.", "pool", ready)
    configured = {pool.name: pool.workers for pool in pools}
    yield _labelled_gauge("workers_configured", "Workers as configured, by pool.", "pool", configured)
    busy = {service.name: service.utilization for service in services.services}
    yield _labelled_gauge("worker_utilization_ratio", "Share of the last 10 s that a worker worked.", "service", busy)


def _services(services: Services) -> Iterator[Metric]:
    state = GaugeMetricFamily(
        f"{PREFIX}service_state", "1 for the state that a service is in.", labels=("service", "kind", "state")
    )
    restarts = CounterMetricFamily(
        f"{PREFIX}service_restarts",
        "Processes started in place of one that ended.",
        labels=("service", "kind", "cause"),
    )
    heartbeat = GaugeMetricFamily(
        f"{PREFIX}service_heartbeat_age_seconds", "Since a service was heard.", labels=("service", "kind")
    )
    for service in services.services:
        for each in STATES if service.state in STATES else (*STATES, service.state):
            state.add_metric((service.name, service.kind, each), each == service.state)
        for cause in Cause:
            count = service.restarts_by_cause.get(cause.value, 0)
            restarts.add_metric((service.name, service.kind, cause.value), count)
        if service.heartbeat_age_ms is not None:
            heartbeat.add_metric((service.name, service.kind), service.heartbeat_age_ms / 1000)
    yield state
    yield restarts
    yield heartbeat


def _processes(observer: Observer, services: Services) -> Iterator[Metric]:
    analysis = observer.memory()
    verdict = {each.value: each is analysis.verdict for each in Verdict}
    yield _labelled_gauge("memory_verdict", "1 for what GET /api/memory-analysis says.", "verdict", verdict)
    for figure, documentation in (
        ("pss_bytes", "Pages of a process, and its share of those it has in common with others."),
        ("uss_bytes", "Memory that would be free if a process ended."),
        ("rss_bytes", "Resident pages of a process, shared ones counted in full."),
        ("heap_used_bytes", "Handed out by malloc."),
        ("heap_kept_bytes", "Given back to malloc, which keeps it."),
    ):
        values = {process.service: getattr(process, figure) for process in analysis.processes}
        yield _labelled_gauge(f"process_{figure}", documentation, "service", values)
    descriptors = {service.name: service.descriptors for service in services.services}
    yield _labelled_gauge("process_open_fds", "Open files and sockets of a process.", "service", descriptors)
    cpu = {service.name: _ratio(service.cpu_percent) for service in services.services}
    yield _labelled_gauge("process_cpu_ratio", "Share of one core that a process used lately.", "service", cpu)


def _daemon(observer: Observer, presence: Presence) -> Iterator[Metric]:
    told = presence.supervisor.message if presence.supervisor else None
    yield _labelled_gauge("build_info", "1; the version is in the label.", "version", {told.version: 1} if told else {})
    yield _gauge(
        "uptime_seconds", "Since the daemon was started.", presence.now_s - told.started_at_s if told else None
    )
    status = observer.health().status
    health = {each.value: each is status for each in Status}
    yield _labelled_gauge("health_status", "1 for what GET /health says.", "status", health)
    yield _gauge("ready", "1 if a frame submitted now would come through.", observer.readiness().ready)
    firing = {alert.name for alert in observer.alerts()}
    alerts = {rule.name: rule.name in firing for rule in RULES}
    yield _labelled_gauge("alert_firing", "1 for an alert of the daemon's own that fires.", "alert", alerts)
    yield _webhook(observer.webhook)
    yield _counter(
        "telemetry_ignored", "Messages between the processes that told nothing new.", observer.collector.ignored_count
    )
    yield _counter(
        "telemetry_malformed", "Messages between the processes that could not be read.", observer.malformed_count
    )


def _webhook(webhook: Webhook | None) -> Metric:
    outcomes = {
        "delivered": webhook.delivered_count if webhook else 0,
        "failed": webhook.failed_count if webhook else 0,
        "dropped": webhook.dropped_count if webhook else 0,
    }
    documentation = "Alerts that the webhook has delivered, has given up, or had no room for."
    return _labelled_counter("webhook_alerts", documentation, "outcome", outcomes)


def _host(observer: Observer) -> Iterator[Metric]:
    figures = observer.system.figures
    yield _gauge("host_cpu_ratio", "Share of all cores in use.", _ratio(figures.cpu_percent))
    yield _gauge("host_memory_ratio", "Share of the memory in use.", _ratio(figures.memory_percent))
    load = dict(zip(("1", "5", "15"), figures.load_average, strict=True))
    yield _labelled_gauge("host_load_average", "Processes that run or want to, over minutes.", "minutes", load)


def _broker(told: BrokerTelemetry, now_s: float) -> Iterator[Metric]:
    arena, canary = told.arena, told.canary
    occupancy = {"used": arena.used_bytes, "free": arena.total_bytes - arena.used_bytes}
    yield _labelled_gauge("arena_bytes", "Shared memory for pixels, by state.", "state", occupancy)
    yield _gauge("arena_high_water_bytes", "Most that was ever in use at once.", arena.high_water_bytes)
    yield _gauge("arena_largest_free_bytes", "Largest piece that is free.", arena.largest_free_bytes)
    owned = {owner.owner: owner.bytes for owner in told.owners}
    yield _labelled_gauge("arena_owned_bytes", "Shared memory in use, by who holds it.", "owner", owned)
    results = {"passed": canary.passed, "failed": canary.failed}
    documentation = "Pictures that the daemon sent through all its stages to see that they work, by result."
    yield _labelled_counter("canary_pictures", documentation, "result", results)
    age_s = None if canary.passed_at_s is None else max(now_s - canary.passed_at_s, 0.0)
    yield _gauge("canary_age_seconds", "Since such a picture came back right.", age_s)
    took_s = canary.took_us / 1e6 if canary.passed else None
    yield _gauge("canary_duration_seconds", "What the last that came back right took.", took_s)


def _ratio(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _counter(name: str, documentation: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, documentation, value)


def _gauge(name: str, documentation: str, value: float | None) -> Metric:
    return GaugeMetricFamily(PREFIX + name, documentation, value)


def _labelled_counter(name: str, documentation: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(PREFIX + name, documentation, labels=(label,))
    for each, value in values.items():
        family.add_metric((each,), value)
    return family


def _labelled_gauge(name: str, documentation: str, label: str, values: Mapping[str, float | None]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, documentation, labels=(label,))
    for each, value in values.items():
        if value is not None:
            family.add_metric((each,), value)
    return family


def _histogram(name: str, documentation: str, snapshot: HistogramSnapshot) -> Metric:
    return HistogramMetricFamily(PREFIX + name, documentation, _buckets(snapshot), snapshot.sum_us / 1e6)


def _buckets(snapshot: HistogramSnapshot) -> list[tuple[str, float]]:
    """Cumulative counts by `le`."""
    below = list(accumulate(snapshot.counts, initial=0))
    counts = [(le, below[min(max(bucket - snapshot.first + 1, 0), len(below) - 1)]) for le, bucket in _EDGES]
    return [*counts, ("+Inf", below[-1])]
