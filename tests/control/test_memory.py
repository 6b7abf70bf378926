"""The analysis: verdicts, sums and sentences, from figures that a test sets."""

from typing import Any

import msgspec
import pytest

from control.collector import Collector
from control.history import MemoryHistory
from control.memory import MemoryAnalysis, Verdict, analyse
from control.system import SystemFigures
from ipc.telemetry import ArenaFigures, HeapFigures, OwnerFigures
from tests.control.support import make_settings
from tests.control.test_history import MIB, MINUTE, SERVICES, Daemon, heap

FULL = ArenaFigures(total_bytes=256 * MIB, used_bytes=240 * MIB, high_water_bytes=250 * MIB, largest_free_bytes=MIB)


def analysis(daemon: Daemon, memory_percent: float | None = 20.0, threshold: float = 80.0) -> MemoryAnalysis:
    """Analyse what a daemon's history has."""
    settings = make_settings()
    alerts = msgspec.structs.replace(settings.alerts, memory_percent=threshold)
    system = SystemFigures(1.0, memory_percent, (0.1, 0.2, 0.3))
    return analyse(daemon.history, daemon.presence, system, msgspec.structs.replace(settings, alerts=alerts))


def ran(daemon: Daemon, **changes: Any) -> Daemon:
    """Sample for a minute."""
    for _ in MINUTE:
        daemon.sample(**changes)
    return daemon


def test_quiet_daemon_is_stable_and_needs_nothing() -> None:
    body = analysis(ran(Daemon()))

    assert body.verdict is Verdict.STABLE
    assert body.recommendations == []
    assert [process.service for process in body.processes] == list(SERVICES)
    assert {process.verdict for process in body.processes} == {Verdict.STABLE}
    assert body.total.pss_bytes == 6 * 40 * MIB
    assert (body.total.uss_bytes, body.total.rss_bytes) == (6 * 35 * MIB, 6 * 60 * MIB)


def test_leaking_worker_is_named_in_the_verdict_and_in_a_sentence() -> None:
    daemon = Daemon()
    for second in MINUTE:
        daemon.sample({"decode-1": second / 5})
    body = analysis(daemon)
    trend = next(process.trend for process in body.processes if process.service == "decode-1")

    assert body.verdict is Verdict.GROWING
    assert [process.service for process in body.processes if process.verdict is Verdict.GROWING] == ["decode-1"]
    (sentence,) = body.recommendations
    assert sentence.startswith("decode-1 grows by 12 MiB a minute (2.0 KiB a frame, seen over 36 s)")
    assert trend is not None
    assert trend.slope_bytes_per_minute == pytest.approx(12 * MIB, rel=0.01)
    assert trend.bytes_per_1000_frames == pytest.approx(2.048 * MIB * 1000 / 1024, rel=0.05)
    assert trend.confidence > 0.99
    assert body.trend is not None
    assert body.trend.slope_bytes_per_minute == pytest.approx(12 * MIB, rel=0.01)


def test_worst_of_two_that_leak_is_named_first() -> None:
    daemon = Daemon()
    for second in MINUTE:
        daemon.sample({"decode-0": second / 8, "decode-1": second / 4})

    assert [sentence.split()[0] for sentence in analysis(daemon).recommendations] == ["decode-1", "decode-0"]


def test_host_without_memory_is_pressure_and_comes_before_all_else() -> None:
    daemon = Daemon()
    for second in MINUTE:
        daemon.sample({"decode-1": second / 5})
    body = analysis(daemon, memory_percent=91.0)

    assert body.verdict is Verdict.PRESSURE
    assert body.recommendations[0].startswith("91 % of the host's memory is in use")
    assert body.recommendations[1].startswith("decode-1 grows")


@pytest.mark.parametrize(("percent", "threshold"), [(79.9, 80.0), (99.0, 0.0), (None, 80.0)])
def test_host_below_its_threshold_or_without_one_or_unknown_is_no_pressure(
    percent: float | None, threshold: float
) -> None:
    assert analysis(ran(Daemon()), percent, threshold).verdict is Verdict.STABLE


def test_arena_that_was_full_for_a_moment_is_no_pressure() -> None:
    daemon = ran(Daemon())
    daemon.sample(arena=FULL)
    daemon.sample(arena=FULL)

    assert analysis(daemon).verdict is Verdict.STABLE


def test_arena_that_stays_full_is_pressure_with_its_owners_named() -> None:
    owners = [OwnerFigures("decode-0", 200 * MIB, 3, 1), OwnerFigures("waiting", 40 * MIB, 2)]
    daemon = ran(Daemon(), arena=FULL, owners=owners)
    body = analysis(daemon)

    assert body.verdict is Verdict.PRESSURE
    assert "decode-0 200 MiB, waiting 40 MiB" in body.recommendations[0]
    assert "memory.arena_mb above 256" in body.recommendations[0]
    assert body.arena is not None
    assert (body.arena.used_bytes, body.arena.largest_free_bytes) == (240 * MIB, MIB)
    assert [(owner.owner, owner.frames, owner.abandoned) for owner in body.arena.owners] == [
        ("decode-0", 3, 1),
        ("waiting", 2, 0),
    ]


def test_idle_process_that_keeps_much_is_to_be_trimmed_and_the_one_that_works_is_not() -> None:
    kept = {"broker": heap(5, 58), "decode-0": heap(5, 31)}
    working = analysis(ran(Daemon(), heap=kept))
    idle = analysis(ran(ran(ran(Daemon(), heap=kept), heap=kept, is_idle=True), heap=kept, is_idle=True))

    assert working.recommendations == []
    (sentence,) = idle.recommendations
    assert sentence.startswith("malloc of broker keeps 58 MiB")
    assert idle.verdict is Verdict.STABLE


def test_under_pressure_smaller_amounts_and_working_processes_are_to_be_trimmed_too() -> None:
    body = analysis(ran(Daemon(), heap={"broker": heap(5, 9), "decode-0": heap(5, 20), "decode-1": heap(5, 7)}), 91.0)

    assert [sentence.split(" keeps")[0] for sentence in body.recommendations[1:]] == [
        "malloc of decode-0",
        "malloc of broker",
    ]


def test_analysis_before_anything_was_heard_is_empty() -> None:
    presence = Collector([]).presence(0.0)
    body = analyse(MemoryHistory(), presence, SystemFigures(None, None, (0.0, 0.0, 0.0)), make_settings())

    assert (body.verdict, body.processes, body.arena, body.trend) == (Verdict.STABLE, [], None, None)


def test_analysis_has_the_documented_keys() -> None:
    daemon = ran(Daemon(), heap={"decode-0": HeapFigures(1, 2)})
    body = msgspec.to_builtins(analysis(daemon))

    assert list(body) == [
        "timestamp", "verdict", "total", "processes", "arena", "trend", "recommendations",
    ]  # fmt: skip
    assert list(body["processes"][0]) == [
        "service", "pid", "pss_bytes", "uss_bytes", "rss_bytes", "heap_used_bytes", "heap_kept_bytes", "verdict",
        "trend",
    ]  # fmt: skip
    assert list(body["trend"]) == ["window_s", "slope_bytes_per_minute", "bytes_per_1000_frames", "confidence"]
