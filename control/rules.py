"""Rules: what alerts there are, as one table: what each looks at, its threshold, and how it is said. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from control.readings import Readings
from ipc.histogram import bucket_bounds, quantile
from ipc.settings import Settings

FRAMES_MIN: Final = 3
"""Fewer slow or failed frames within 10 s are an accident, however few frames there were besides."""
FIRES_AFTER_S: Final = 5.0
ARENA_PERCENT_MAX: Final = 90.0


class Evidence(Enum):
    """What a value that has reached its threshold proves."""

    THIN = auto()
    """Nothing: too few frames were measured."""
    ENOUGH = auto()
    CERTAIN = auto()
    """More than that: it is wrong whatever the value."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a rule looks at, as it is now."""

    value: float
    sentence: str
    """For people: the value, what it is of, and the threshold."""
    evidence: Evidence = Evidence.ENOUGH


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert."""

    name: str
    threshold: Callable[[Settings], float]
    """At which value it fires; 0: never."""
    read: Callable[[Readings, float], Reading | None]
    """Look at the value, given the threshold; None where it is unknown."""
    fires_after_s: float = FIRES_AFTER_S
    """How long the value must stay at the threshold or over it."""


def loop_deaths(settings: Settings) -> int:
    """From how many deaths within the window on a pool is said to be in a restart loop: before it is given up."""
    return max(3, settings.supervisor.restarts_max // 2)


def _memory(readings: Readings, threshold: float) -> Reading | None:
    value = readings.memory_percent
    if value is None:
        return None
    return Reading(value, f"{value:.1f} % of the host's memory is in use; the threshold is {threshold:g} %.")


def _response(readings: Readings, threshold: float) -> Reading | None:
    latency = readings.latency
    if latency is None or not latency.counts:
        return None
    value = quantile(latency, 0.95) / 1000
    slow = sum(
        count
        for bucket, count in enumerate(latency.counts, latency.first)
        if bucket_bounds(bucket)[1] >= threshold * 1000
    )
    sentence = (
        f"95 % of the {latency.count} frames completed in the last 10 s took up to {value:.0f} ms; "
        f"the threshold is {threshold:g} ms."
    )
    return Reading(value, sentence, Evidence.ENOUGH if slow >= FRAMES_MIN else Evidence.THIN)


def _errors(readings: Readings, threshold: float) -> Reading | None:
    ended, failed = readings.frames_ended, readings.frames_failed
    if not ended or failed is None:
        return None
    value = 100 * failed / ended
    sentence = (
        f"{value:.1f} % of the frames that ended in the last 10 s failed, {failed} of {ended}; "
        f"the threshold is {threshold:g} %."
    )
    return Reading(value, sentence, Evidence.ENOUGH if failed >= FRAMES_MIN else Evidence.THIN)


def _queue(readings: Readings, threshold: float) -> Reading | None:
    value = readings.queue_length
    if value is None:
        return None
    return Reading(value, f"{value} frames wait for a worker; the threshold is {threshold:g}.")


def _restarts(readings: Readings, threshold: float) -> Reading | None:
    """Look at the worst pool; one that was given up is worse than any that still dies."""
    if not readings.deaths:
        return None
    deaths = readings.deaths
    worst = min(deaths, key=lambda pool: (pool not in readings.given_up, -deaths[pool], pool))
    value = deaths[worst]
    if worst in readings.given_up:
        sentence = f"{worst} died too often: at least one of its processes is not started again until the daemon is."
        return Reading(value, sentence, Evidence.CERTAIN)
    sentence = (
        f"{worst} died {value} times in the last {readings.deaths_window_s:g} s; the threshold is {threshold:g}."
        if value
        else f"Nothing died in the last {readings.deaths_window_s:g} s; the threshold is {threshold:g}."
    )
    return Reading(value, sentence)


def _arena(readings: Readings, threshold: float) -> Reading | None:
    value = readings.arena_percent
    if value is None:
        return None
    return Reading(value, f"{value:.1f} % of the arena is in use; the threshold is {threshold:g} %.")


RULES: Final = (
    Rule("memory_percent", lambda settings: settings.alerts.memory_percent, _memory),
    Rule("response_ms", lambda settings: settings.alerts.response_ms, _response),
    Rule("error_percent", lambda settings: settings.alerts.error_percent, _errors),
    Rule("queue_length", lambda settings: settings.alerts.queue_length, _queue),
    Rule("restart_loop", loop_deaths, _restarts, fires_after_s=0.0),
    Rule("arena_percent", lambda _: ARENA_PERCENT_MAX, _arena),
)
