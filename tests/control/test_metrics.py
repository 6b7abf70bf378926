"""Metrics: figures of the stages, from who is ready, who is busy, and for how long."""

import msgspec
import pytest

from control.collector import Collector
from control.metrics import measure
from control.system import SystemFigures
from ipc.causes import Cause
from ipc.telemetry import CanaryFigures, ProducerFigures, StageFigures, WorkerLoad
from tests.control.support import make_broker, make_frames, make_histogram, make_settings, make_supervisor, make_worker

SYSTEM = SystemFigures(1.0, 2.0, (0.1, 0.2, 0.3))


def test_measure_counts_ready_workers_in_each_stage_of_their_pool() -> None:
    collector = Collector(["decode", "transform", "encode"])
    collector.take(make_supervisor(decode_1="backoff"), 0)

    stages = measure(collector, make_settings(), SYSTEM, [], 1).stages

    assert {name: stage.workers for name, stage in stages.items()} == {"decode": 1, "transform": 1, "encode": 1}


def test_measure_believes_the_broker_about_who_is_busy_and_else_the_worker() -> None:
    collector = Collector(["decode", "transform", "encode"])
    collector.take(make_supervisor(), 0)
    collector.take(make_worker("decode-0", busy=True), 0)
    collector.take(make_worker("decode-1", busy=False), 0)
    collector.take(make_worker("transform+encode-0", busy=True), 0)
    collector.take(make_broker(workers={"decode-0": WorkerLoad(0), "decode-1": WorkerLoad(2)}), 0)

    stages = measure(collector, make_settings(), SYSTEM, [], 1).stages

    assert {name: stage.busy for name, stage in stages.items()} == {"decode": 1, "transform": 1, "encode": 1}
    assert collector.presence(1).is_busy(collector.presence(1).of_kind("decode")[1])


def test_measure_takes_the_mean_utilization_of_the_ready_workers() -> None:
    collector = Collector(["decode", "transform", "encode"])
    collector.take(make_supervisor(), 0)
    for name, busy_us in (("decode-0", 1_000_000), ("decode-1", 500_000)):
        for second in range(2):
            figures = StageFigures(busy_us=busy_us * second, latency=make_histogram(1000))
            collector.take(make_worker(name, {"decode": figures}, sequence=second + 1, at_s=second), second)

    settings = make_settings(pools=[{"stages": ["decode"], "workers": 2}])
    decode = measure(collector, settings, SYSTEM, [], 1).stages["decode"]

    assert decode.utilization == pytest.approx(0.75)
    assert decode.latency_ms.p50 == pytest.approx(1, rel=0.032)
    assert decode.latency_ms.max == 1.0


def test_measure_has_the_documented_keys() -> None:
    body = msgspec.to_builtins(measure(Collector(["decode", "transform", "encode"]), make_settings(), SYSTEM, [], 0))

    assert list(body) == [
        "timestamp", "frames", "throughput_fps", "error_rate", "errors", "latency_ms", "recent_latency_ms", "queue",
        "stages", "workers", "restarts", "canary", "arena", "system", "alerts",
    ]  # fmt: skip
    assert body["timestamp"].endswith("+00:00")


def test_measure_tells_who_waits_and_how_urgently() -> None:
    collector = Collector(["decode", "transform", "encode"])
    producers = [ProducerFigures("camera", 3, 300), ProducerFigures("scraper", 1, 50)]
    frames = make_frames(queued=4, queued_bytes=350)
    collector.take(
        make_broker(
            frames, queued_by_priority=[0, 1, 0, 0, 0, 3], producers=producers, queue_latency=make_histogram(7)
        ),
        0,
    )

    queue = measure(collector, make_settings(), SYSTEM, [], 1).queue

    assert (queue.frames, queue.frames_max, queue.bytes, queue.bytes_max) == (4, 10, 350, 1000)
    assert queue.by_priority == {"1": 1, "5": 3}
    assert [(told.producer, told.frames, told.bytes) for told in queue.by_producer] == [
        ("camera", 3, 300),
        ("scraper", 1, 50),
    ]
    assert queue.wait_ms.max == 0.007


def test_measure_adds_up_restarts_by_cause() -> None:
    told = make_supervisor()
    causes: list[dict[Cause, int]] = [{}, {Cause.CRASH: 1}, {Cause.CRASH: 2, Cause.TIME_LIMIT: 1}, {}, {}, {}]
    services = [
        msgspec.structs.replace(service, restarts=sum(by_cause.values()), restarts_by_cause=by_cause)
        for service, by_cause in zip(told.services, causes, strict=True)
    ]
    collector = Collector(["decode", "transform", "encode"])
    collector.take(msgspec.structs.replace(told, services=services), 0)

    restarts = measure(collector, make_settings(), SYSTEM, [], 1).restarts

    assert (restarts.total, restarts.by_cause) == (4, {"crash": 3, "time_limit": 1})


def test_measure_tells_each_ready_workers_own_share() -> None:
    collector = Collector(["decode", "transform", "encode"])
    collector.take(make_supervisor(decode_1="backoff"), 0)
    for second in range(2):
        busy = {stage: StageFigures(busy_us=second * 300_000) for stage in ("transform", "encode")}
        collector.take(make_worker("transform+encode-0", busy, sequence=second + 1, at_s=second), second)

    workers = measure(collector, make_settings(), SYSTEM, [], 1).workers

    assert [(worker.service, worker.utilization) for worker in workers] == [("transform+encode-0", 0.6)]


def test_measure_shows_the_canary_with_its_age() -> None:
    collector = Collector(["decode", "transform", "encode"])
    collector.take(make_broker(canary=CanaryFigures(passed=3, failed=1, passed_at_s=7.5, took_us=1500)), 8)

    canary = measure(collector, make_settings(), SYSTEM, [], 9).canary

    assert (canary.passed, canary.failed, canary.age_s, canary.took_ms) == (3, 1, 1.5, 1.5)
