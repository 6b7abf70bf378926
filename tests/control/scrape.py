"""A pipeline of which everything has been heard, and its scrape, read by Prometheus' own parser."""

import asyncio
import os
import time

import msgspec
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from control.exposition import Exposition
from control.observer import Observer
from ipc.causes import Cause
from ipc.errors import ErrorCode
from ipc.settings import Settings
from ipc.telemetry import (
    ArenaFigures,
    BrokerTelemetry,
    CanaryFigures,
    HeapFigures,
    OwnerFigures,
    ProducerFigures,
    ServiceFigures,
    StageFigures,
    WorkerTelemetry,
)
from tests.control.support import make_broker, make_frames, make_histogram, make_settings, make_supervisor, make_worker

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""Values by name and labels."""


def broker_that_worked(at_s: float, sequence: int = 1, incarnation: int = 1, times: int = 1) -> BrokerTelemetry:
    """A broker that has done `times` as much as another."""
    frames = make_frames(completed=50 * times, failed=4, rejected=3, cancelled=2, in_flight=5, queued=7)
    frames = msgspec.structs.replace(frames, queued_bytes=700, payload_bytes=12_345 * times, reply_bytes=678 * times)
    return make_broker(
        frames,
        incarnation,
        sequence,
        at_s,
        errors={ErrorCode.POISON: 1 * times, ErrorCode.BAD_IMAGE: 3, ErrorCode.BUSY: 3},
        latency=make_histogram(*[300, 5_000, 127, 128, 2_000_000] * 10 * times),
        queue_latency=make_histogram(*[10, 20] * 30 * times),
        arena=ArenaFigures(total_bytes=1000, used_bytes=300, high_water_bytes=800, largest_free_bytes=400),
        owners=[OwnerFigures("decode-0", 200, 1), OwnerFigures("waiting", 100, 1)],
        queued_by_priority=[0, 3, 0, 0, 0, 4, 0, 0, 0, 0],
        producers=[ProducerFigures("camera-in-the-hall", 7, 700)],
        canary=CanaryFigures(passed=9 * times, failed=1, passed_at_s=at_s - 0.5, took_us=2500),
        heap=HeapFigures(1000, 100),
    )


def worker_that_worked(
    at_s: float, service: str = "decode-0", sequence: int = 1, incarnation: int = 2, times: int = 1
) -> WorkerTelemetry:
    """A worker that has done `times` as much as another."""
    stage = "decode" if service.startswith("decode") else "encode"
    figures = StageFigures(20 * times, 2, 250_000 * times, make_histogram(*[9_000, 70_000] * 10 * times))
    worker = make_worker(service, {stage: figures}, incarnation, sequence, at_s)
    return msgspec.structs.replace(worker, heap=HeapFigures(500, 50))


def observed(settings: Settings | None = None) -> Observer:
    """An observer that has just heard all services; in the place of each process it was shown this one."""
    now_s = time.monotonic()
    observer = Observer(settings or make_settings())
    supervisor = make_supervisor(at_s=now_s)
    services = [
        msgspec.structs.replace(
            service,
            pid=os.getpid(),
            restarts_by_cause={Cause.CRASH: 2, Cause.TIME_LIMIT: 1} if service.name == "decode-1" else {},
        )
        for service in supervisor.services
    ]
    observer.take(msgspec.structs.replace(supervisor, services=services, started_at_s=now_s - 60), now_s)
    observer.take(broker_that_worked(now_s), now_s)
    for service in ("decode-0", "decode-1", "transform+encode-0"):
        observer.take(worker_that_worked(now_s, service), now_s)
    for _ in range(2):
        observer.system.sample()
        observer.processes.sample(dict.fromkeys((service.name for service in services), os.getpid()))
    observer.sampled_processes(now_s)
    observer.sample(now_s)
    return observer


def crowd(count: int) -> Observer:
    """So many workers, as many as the other services included."""
    observer = observed(make_settings(pools=[{"stages": ["decode", "transform", "encode"], "workers": count}]))
    now_s = time.monotonic()
    named = make_supervisor(sequence=2, at_s=now_s)
    kind = "decode+transform+encode"
    services = [ServiceFigures(f"{kind}-{number}", kind, "ready", 1000 + number, now_s) for number in range(count)]
    observer.take(msgspec.structs.replace(named, services=services), now_s)
    for service in services:
        worker = worker_that_worked(now_s, service.name)
        figures = worker.stages["encode" if "encode" in worker.stages else "decode"]
        stages = dict.fromkeys(("decode", "transform", "encode"), figures)
        observer.take(msgspec.structs.replace(worker, stages=stages), now_s)
    return observer


def scrape(observer: Observer, accept: str = "") -> str:
    """Scrape once."""
    return asyncio.run(Exposition(observer).answer(accept)).body.decode()


def families_of(text: str) -> list[Metric]:
    """Read an exposition with the parser of its form."""
    if text.endswith("# EOF\n"):
        return list(openmetrics_parser.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]  # untyped
    return list(text_string_to_metric_families(text))


def samples_of(text: str) -> Samples:
    """Read the samples of an exposition."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families_of(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """Find one value."""
    return samples[f"omnishotd_{name}", frozenset(labels.items())]
