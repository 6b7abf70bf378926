"""Readings: what alerts are judged by, as it was measured at one moment. Pure.

None is what is not known. A process that has not been heard lately tells nothing about the present, so all that only
it could tell is None too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from control.accounts import PipelineFigures
from control.presence import FRESH_S, Presence
from control.system import SystemFigures
from ipc.histogram import HistogramSnapshot
from ipc.settings import Settings


@dataclass(frozen=True, slots=True)
class Readings:
    """The measured values. Those of frames are of the last 10 s."""

    memory_percent: float | None = None
    """Of the host's memory, in use."""
    latency: HistogramSnapshot | None = None
    """From receipt to reply, of the frames that were completed."""
    frames_ended: int | None = None
    """Completed or failed."""
    frames_failed: int | None = None
    queue_length: int | None = None
    deaths: Mapping[str, int] | None = None
    """Within `deaths_window_s`, by pool; the broker and the control plane are pools too."""
    deaths_window_s: float = 0.0
    given_up: frozenset[str] = field(default_factory=frozenset)
    """Pools with a service that is not started again."""
    arena_percent: float | None = None
    """Of the arena, in use."""


def read(presence: Presence, pipeline: PipelineFigures, system: SystemFigures, settings: Settings) -> Readings:
    """Take the readings of one moment; `presence` and `pipeline` are of the same."""
    window_s = settings.supervisor.restart_window_s
    deaths: dict[str, int] | None = None
    given_up: frozenset[str] = frozenset()
    if presence.supervisor and presence.supervisor.age_s(presence.now_s) <= FRESH_S:
        deaths = {service.kind: service.deaths_lately for service in presence.services}
        given_up = frozenset(service.kind for service in presence.services if service.state == "failed")
    if presence.broker is None or presence.broker.age_s(presence.now_s) > FRESH_S:
        return Readings(system.memory_percent, deaths=deaths, deaths_window_s=window_s, given_up=given_up)
    arena = presence.broker.message.arena
    return Readings(
        memory_percent=system.memory_percent,
        latency=pipeline.recent_latency,
        frames_ended=pipeline.ended_lately,
        frames_failed=round(pipeline.error_rate * pipeline.ended_lately),
        # Of the present broker: what a dead one held is counted until it is settled, but waits for nobody.
        queue_length=presence.broker.message.frames.queued,
        deaths=deaths,
        deaths_window_s=window_s,
        given_up=given_up,
        arena_percent=100 * arena.used_bytes / arena.total_bytes if arena.total_bytes else None,
    )
