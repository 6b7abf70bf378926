"""Metrics: figures of the stages, from who is ready, who is busy, and for how long."""

import msgspec
import pytest

from control.collector import Collector
from control.metrics import measure
from control.system import SystemFigures
from ipc.telemetry import StageFigures, WorkerLoad
from tests.control.support import make_broker, make_histogram, make_settings, make_supervisor, make_worker

SYSTEM = SystemFigures(1.0, 2.0, (0.1, 0.2, 0.3))


def test_measure_counts_ready_workers_in_each_stage_of_their_pool() -> None:
    collector = Collector(["decode", "transform", "encode"])
    collector.take(make_supervisor(decode_1="backoff"), 0)

    stages = measure(collector, make_settings(), SYSTEM, 1).stages

    assert {name: stage.workers for name, stage in stages.items()} == {"decode": 1, "transform": 1, "encode": 1}


def test_measure_believes_the_broker_about_who_is_busy_and_else_the_worker() -> None:
    collector = Collector(["decode", "transform", "encode"])
    collector.take(make_supervisor(), 0)
    collector.take(make_worker("decode-0", busy=True), 0)
    collector.take(make_worker("decode-1", busy=False), 0)
    collector.take(make_worker("transform+encode-0", busy=True), 0)
    collector.take(make_broker(workers={"decode-0": WorkerLoad(0), "decode-1": WorkerLoad(2)}), 0)

    stages = measure(collector, make_settings(), SYSTEM, 1).stages

    assert {name: stage.busy for name, stage in stages.items()} == {"decode": 1, "transform": 1, "encode": 1}
    assert collector.presence(1).is_busy(collector.presence(1).of_kind("decode")[1])


def test_measure_takes_the_mean_utilization_of_the_ready_workers() -> None:
    collector = Collector(["decode"])
    collector.take(make_supervisor(), 0)
    for name, busy_us in (("decode-0", 1_000_000), ("decode-1", 500_000)):
        for second in range(2):
            figures = StageFigures(busy_us=busy_us * second, latency=make_histogram(1000))
            collector.take(make_worker(name, {"decode": figures}, sequence=second + 1, at_s=second), second)

    decode = measure(collector, make_settings(pools=[{"stages": ["decode"], "workers": 2}]), SYSTEM, 1).stages["decode"]

    assert decode.utilization == pytest.approx(0.75)
    assert decode.latency_ms.p50 == pytest.approx(1, rel=0.032)
    assert decode.latency_ms.max == 1.0


def test_measure_has_the_documented_keys() -> None:
    body = msgspec.to_builtins(measure(Collector(["decode"]), make_settings(), SYSTEM, 0))

    assert list(body) == [
        "timestamp", "frames", "throughput_fps", "error_rate", "errors", "latency_ms", "stages", "arena", "system",
    ]  # fmt: skip
    assert body["timestamp"].endswith("+00:00")
