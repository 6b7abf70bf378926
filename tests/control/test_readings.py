"""Readings: what alerts are judged by is what the processes told lately, and nothing else."""

import pytest

from control.accounts import PipelineFigures
from control.collector import Collector
from control.health import readiness
from control.readings import Readings, read
from control.system import SystemFigures
from ipc.telemetry import ArenaFigures
from tests.control.support import make_broker, make_frames, make_histogram, make_settings, make_supervisor


def make_readings(collector: Collector, now_s: float) -> Readings:
    system = SystemFigures(None, 42.0, (0.0, 0.0, 0.0))
    presence, settings = collector.presence(now_s), make_settings()
    return read(presence, collector.pipeline(now_s), system, settings, readiness(presence, settings).missing)


def test_readings_are_what_the_processes_told_lately() -> None:
    collector = Collector(["decode"])
    collector.take(make_supervisor(at_s=10, decode_1="failed"), 10)
    collector.take(make_broker(make_frames(completed=5), at_s=4), 4)
    frames = make_frames(completed=65, failed=3, queued=7)
    arena = ArenaFigures(total_bytes=1000, used_bytes=915)
    latency = make_histogram(*[250_000] * 60)
    collector.take(make_broker(frames, sequence=2, at_s=10, arena=arena, latency=latency), 10)

    readings = make_readings(collector, 10)

    assert readings.memory_percent == 42
    assert readings.latency is not None
    assert readings.latency.count == 60
    assert (readings.frames_ended, readings.frames_failed, readings.queue_length) == (63, 3, 7)
    assert readings.arena_percent == pytest.approx(91.5)
    assert readings.given_up == frozenset({"decode"})
    assert readings.deaths == dict.fromkeys(["supervisor", "broker", "decode", "transform+encode", "control"], 0)


def test_readings_of_processes_that_are_silent_are_unknown() -> None:
    collector = Collector(["decode"])
    collector.take(make_supervisor(at_s=10), 10)
    collector.take(make_broker(make_frames(completed=65, failed=3, queued=7), at_s=10), 10)

    missing = (
        "telemetry of the supervisor",
        "broker: silent for 3.5 s, more than 3 s",
    )
    assert make_readings(collector, 13.5) == Readings(memory_percent=42, deaths_window_s=30, missing=missing)
    assert make_readings(Collector(["decode"]), 0) == Readings(memory_percent=42, deaths_window_s=30)


def test_broker_that_hangs_is_missing_though_its_figures_are_unknown() -> None:
    collector = Collector(["decode"])
    collector.take(make_broker(make_frames(queued=7), at_s=10), 10)
    collector.take(make_supervisor(at_s=14), 14)

    readings = make_readings(collector, 14)

    assert readings.queue_length is None
    assert readings.missing == ("broker: silent for 4.0 s, more than 3 s",)


def test_nothing_is_missing_of_a_daemon_that_is_ready() -> None:
    collector = Collector(["decode"])
    collector.take(make_broker(at_s=10), 10)
    collector.take(make_supervisor(at_s=10), 10)

    assert make_readings(collector, 10).missing == ()


@pytest.mark.parametrize(
    ("state", "is_draining", "is_known"),
    [
        ("ready", True, False),
        ("draining", False, False),
        ("stopped", True, False),
        ("backoff", True, True),
        ("spawning", False, True),
    ],
)
def test_what_is_missing_is_unknown_only_while_the_daemon_drains(state: str, is_draining: bool, is_known: bool) -> None:
    collector = Collector(["decode"])
    collector.take(make_broker(at_s=10, is_draining=is_draining), 10)
    collector.take(make_supervisor(at_s=10, broker=state, decode_0=state, decode_1=state), 10)

    assert (make_readings(collector, 10).missing is not None) is is_known


def test_readings_rest_on_figures_that_the_accounts_have() -> None:
    """The share of failed frames is made a count again without loss."""
    for failed, ended in ((1, 3), (29, 100), (333_333, 1_000_000)):
        figures = PipelineFigures(
            sums=Collector(["decode"]).pipeline(0).sums,
            throughput_fps=0,
            error_rate=failed / ended,
            ended_lately=ended,
            recent_latency=make_histogram(),
        )
        collector = Collector(["decode"])
        collector.take(make_broker(at_s=0), 0)

        readings = read(collector.presence(0), figures, SystemFigures(None, None, (0, 0, 0)), make_settings(), ())

        assert (readings.frames_failed, readings.frames_ended) == (failed, ended)
