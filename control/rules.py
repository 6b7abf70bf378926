"""Rules: what alerts there are, as one table: what each looks at, its threshold, and how it is said. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from control.readings import Readings
from ipc.histogram import bucket_bounds, quantile
from ipc.settings import Settings

FRAMES_MIN: Final = 3
"""Fewer slow or failed frames within 10 s are an accident, however few frames there were besides."""
FIRES_AFTER_S: Final = 5.0
ARENA_PERCENT_MAX: Final = 90.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What a rule looks at, as it is now."""

    value: float
    sentence: str
    """For people: the value, what it is of, and the threshold."""
    is_enough: bool = True
    """Whether a value that has reached its threshold proves anything: not if too few frames were measured."""


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
    if latency is None:
        return None
    if not latency.counts:
        # Nobody waits. That frames wait and none ends is for `queue_length` and `not_ready` to tell.
        return Reading(0.0, f"No frame was completed in the last 10 s; the threshold is {threshold:g} ms.")
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
    return Reading(value, sentence, is_enough=slow >= FRAMES_MIN)


def _errors(readings: Readings, threshold: float) -> Reading | None:
    ended, failed = readings.frames_ended, readings.frames_failed
    if ended is None or failed is None:
        return None
    if not ended:
        return Reading(0.0, f"No frame ended in the last 10 s; the threshold is {threshold:g} %.")
    value = 100 * failed / ended
    sentence = (
        f"{value:.1f} % of the frames that ended in the last 10 s failed, {failed} of {ended}; "
        f"the threshold is {threshold:g} %."
    )
    return Reading(value, sentence, is_enough=failed >= FRAMES_MIN)


def _queue(readings: Readings, threshold: float) -> Reading | None:
    value = readings.queue_length
    if value is None:
        return None
    return Reading(value, f"{value} frames wait for a worker; the threshold is {threshold:g}.")


def _restarts(readings: Readings, threshold: float) -> Reading | None:
    """Look at the pool that dies most."""
    if not readings.deaths:
        return None
    deaths = readings.deaths
    worst = min(deaths, key=lambda pool: (-deaths[pool], pool))
    value = deaths[worst]
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


def _readiness(readings: Readings, _: float) -> Reading | None:
    missing = readings.missing
    if missing is None:
        return None
    sentence = f"Frames do not come through. Missing: {'; '.join(missing)}." if missing else "Frames come through."
    return Reading(len(missing), sentence)


def _given_up(readings: Readings, _: float) -> Reading | None:
    pools = readings.given_up
    if pools is None:
        return None
    sentence = (
        f"Died too often, and at least one process is not started again: {', '.join(sorted(pools))}. "
        "/api/services/health says under last_exit how it ended, the log why; then restart the daemon."
    )
    return Reading(len(pools), sentence if pools else "No process was given up.")


RULES: Final = (
    Rule("memory_percent", lambda settings: settings.alerts.memory_percent, _memory),
    Rule("response_ms", lambda settings: settings.alerts.response_ms, _response),
    Rule("error_percent", lambda settings: settings.alerts.error_percent, _errors),
    Rule("queue_length", lambda settings: settings.alerts.queue_length, _queue),
    Rule("restart_loop", loop_deaths, _restarts, fires_after_s=0.0),
    Rule("pool_failed", lambda _: 1.0, _given_up, fires_after_s=0.0),
    Rule("not_ready", lambda _: 1.0, _readiness),
    Rule("arena_percent", lambda _: ARENA_PERCENT_MAX, _arena),
)
