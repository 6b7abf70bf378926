"""Rules: what each alert looks at, when it is enough, and how it is said."""

import msgspec
import pytest

from control.alerts import RESOLVES_AFTER_S, AlertState
from control.readings import Readings
from control.rules import FIRES_AFTER_S, loop_deaths
from tests.control.support import make_histogram, make_settings
from tests.control.watching import STEP_S, Watching, states

FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED


@pytest.mark.parametrize(
    ("readings", "name", "detail"),
    [
        (Readings(memory_percent=80.04), "memory_percent", "80.0 % of the host's memory is in use; "),
        (
            Readings(latency=make_histogram(*[1_500_000] * 3)),
            "response_ms",
            "95 % of the 3 frames completed in the last 10 s took up to 1475 ms; ",
        ),
        (
            Readings(frames_ended=60, frames_failed=3),
            "error_percent",
            "5.0 % of the frames that ended in the last 10 s",
        ),
        (Readings(queue_length=20), "queue_length", "20 frames wait"),
        (Readings(arena_percent=90.0), "arena_percent", "90.0 % of the arena is in use; the threshold is 90 %."),
        (
            Readings(missing=("broker: silent for 4.0 s, more than 3 s", "a worker of decode")),
            "not_ready",
            "Frames do not come through. Missing: broker: silent for 4.0 s, more than 3 s; a worker of decode.",
        ),
    ],
)
def test_each_rule_fires_at_its_threshold(readings: Readings, name: str, detail: str) -> None:
    watching = Watching()

    (alert,) = watching.see(readings, FIRES_AFTER_S)

    assert (alert.name, alert.state) == (name, FIRING)
    assert alert.detail.startswith(detail)


@pytest.mark.parametrize(
    "readings",
    [
        Readings(latency=make_histogram(9_000_000, 9_000_000)),
        Readings(latency=make_histogram(*[1000] * 97, *[9_000_000] * 3)),
        Readings(latency=make_histogram()),
        Readings(frames_ended=2, frames_failed=2),
        Readings(frames_ended=100, frames_failed=4),
        Readings(frames_ended=0, frames_failed=0),
    ],
    ids=["two slow frames", "3 % slow", "no frames", "two failed", "4 % failed", "none ended"],
)
def test_few_slow_or_failed_frames_fire_nothing(readings: Readings) -> None:
    assert Watching().see(readings, 60) == []


def test_few_frames_do_resolve_when_they_are_well() -> None:
    watching = Watching()
    watching.see(Readings(frames_ended=10, frames_failed=10), FIRES_AFTER_S)

    assert watching.see(Readings(frames_ended=2, frames_failed=2), 60) == []
    assert states(watching.see(Readings(frames_ended=1, frames_failed=0), RESOLVES_AFTER_S)) == [
        ("error_percent", RESOLVED)
    ]


@pytest.mark.parametrize(
    ("bad", "idle", "name"),
    [
        (Readings(latency=make_histogram(*[1_500_000] * 9)), Readings(latency=make_histogram()), "response_ms"),
        (
            Readings(frames_ended=9, frames_failed=9),
            Readings(frames_ended=0, frames_failed=0),
            "error_percent",
        ),
    ],
)
def test_alert_of_frames_is_resolved_when_none_comes_any_more(bad: Readings, idle: Readings, name: str) -> None:
    watching = Watching()
    watching.see(bad, FIRES_AFTER_S)

    assert watching.see(idle, RESOLVES_AFTER_S - STEP_S) == []
    (alert,) = watching.see(idle)

    assert (alert.name, alert.state, alert.value) == (name, RESOLVED, 0)
    assert alert.detail.startswith("No frame ")


def test_not_ready_is_told_after_a_while_and_resolved_when_frames_come_through() -> None:
    watching = Watching()

    assert watching.see(Readings(missing=("a worker of decode",)), FIRES_AFTER_S - STEP_S) == []
    (alert,) = watching.see(Readings(missing=("a worker of decode", "a worker of encode")))
    assert (alert.name, alert.value, alert.threshold) == ("not_ready", 2, 1)
    assert states(watching.see(Readings(missing=()), RESOLVES_AFTER_S)) == [("not_ready", RESOLVED)]
    assert watching.see(Readings(missing=None), 60) == []


def deaths(**by_pool: int) -> Readings:
    return Readings(deaths=by_pool, deaths_window_s=30, given_up=frozenset())


def given_up(*pools: str) -> Readings:
    return Readings(deaths=dict.fromkeys(pools, 0), deaths_window_s=30, given_up=frozenset(pools))


def test_restart_loop_fires_at_once_and_names_the_worst_pool() -> None:
    watching = Watching()

    (alert,) = watching.see(deaths(decode=5, encode=2))

    assert (alert.name, alert.value, alert.threshold) == ("restart_loop", 5, 5)
    assert alert.detail == "decode died 5 times in the last 30 s; the threshold is 5."
    assert watching.see(deaths(decode=4, encode=7)) == []
    assert watching.board.firing[0].detail == "encode died 7 times in the last 30 s; the threshold is 5."


def test_pool_failed_fires_at_once_and_lasts_when_its_deaths_are_out_of_the_window() -> None:
    """There is nothing left to die: `restart_loop` alone would look like a recovery."""
    watching = Watching()
    watching.see(deaths(encode=11, decode=0))

    (alert,) = watching.see(given_up("encode", "decode"))
    assert (alert.name, alert.state, alert.value, alert.threshold) == ("pool_failed", FIRING, 2, 1)
    assert "is not started again: decode, encode. " in alert.detail
    assert "restart the daemon" in alert.detail
    assert states(watching.see(given_up("encode"), 120)) == [("restart_loop", RESOLVED)]
    assert [alert.name for alert in watching.board.firing] == ["pool_failed"]
    assert states(watching.see(deaths(encode=0), RESOLVES_AFTER_S)) == [("pool_failed", RESOLVED)]


@pytest.mark.parametrize(("restarts_max", "expected"), [(0, 3), (5, 3), (6, 3), (10, 5), (1000, 500)])
def test_restart_loop_is_told_before_the_pool_is_given_up(restarts_max: int, expected: int) -> None:
    settings = make_settings()
    supervisor = msgspec.structs.replace(settings.supervisor, restarts_max=restarts_max)

    assert loop_deaths(msgspec.structs.replace(settings, supervisor=supervisor)) == expected
