"""Rules: what each alert looks at, when it is enough, and how it is said."""

import msgspec
import pytest

from control.alerts import RESOLVES_AFTER_S, AlertState
from control.readings import Readings
from control.rules import FIRES_AFTER_S, loop_deaths
from tests.control.support import make_histogram, make_settings
from tests.control.watching import Watching, states

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


def deaths(given_up: str = "", **by_pool: int) -> Readings:
    return Readings(deaths=by_pool, deaths_window_s=30, given_up=frozenset([given_up] if given_up else []))


def test_restart_loop_fires_at_once_and_names_the_worst_pool() -> None:
    watching = Watching()

    (alert,) = watching.see(deaths(decode=5, encode=2))

    assert (alert.name, alert.value, alert.threshold) == ("restart_loop", 5, 5)
    assert alert.detail == "decode died 5 times in the last 30 s; the threshold is 5."
    assert watching.see(deaths(decode=4, encode=7)) == []
    assert watching.board.firing[0].detail == "encode died 7 times in the last 30 s; the threshold is 5."


def test_restart_loop_of_a_pool_that_was_given_up_is_not_resolved() -> None:
    """Its deaths are soon out of the window, because there is nothing left to die."""
    watching = Watching()
    watching.see(deaths(decode=11, encode=0))

    assert watching.see(deaths("encode", decode=0, encode=0), 120) == []
    assert watching.board.firing[0].detail.startswith("encode died too often")
    assert states(watching.see(deaths(decode=0, encode=0), RESOLVES_AFTER_S)) == [("restart_loop", RESOLVED)]


@pytest.mark.parametrize(("restarts_max", "expected"), [(0, 3), (5, 3), (6, 3), (10, 5), (1000, 500)])
def test_restart_loop_is_told_before_the_pool_is_given_up(restarts_max: int, expected: int) -> None:
    settings = make_settings()
    supervisor = msgspec.structs.replace(settings.supervisor, restarts_max=restarts_max)

    assert loop_deaths(msgspec.structs.replace(settings, supervisor=supervisor)) == expected
