"""Readings: what alerts are judged by, as it was measured at one moment. Pure.

None is what is not known. A process that has not been heard lately tells nothing about the present, so all that only
it could tell is None too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

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
    given_up: frozenset[str] | None = None
    """Pools with a service that is not started again."""
    missing: tuple[str, ...] | None = None
    """What frames would need to come through; nobody's fault while the daemon drains."""
    arena_percent: float | None = None
    """Of the arena, in use."""


def read(
    presence: Presence,
    pipeline: PipelineFigures,
    system: SystemFigures,
    settings: Settings,
    missing: Iterable[str],
) -> Readings:
    """Take the readings of one moment; `presence`, `pipeline` and `missing`, from its readiness, are of the same.

    Who is silent tells nothing, but is missing: so that is known of a broker that hangs, too.
    """
    window_s = settings.supervisor.restart_window_s
    deaths: dict[str, int] | None = None
    given_up: frozenset[str] | None = None
    if presence.supervisor and presence.supervisor.age_s(presence.now_s) <= FRESH_S:
        deaths = {service.kind: service.deaths_lately for service in presence.services}
        given_up = frozenset(service.kind for service in presence.services if service.state == "failed")
    known = Readings(
        memory_percent=system.memory_percent,
        deaths=deaths,
        deaths_window_s=window_s,
        given_up=given_up,
        missing=None if presence.supervisor is None or _is_draining(presence) else tuple(missing),
    )
    if presence.broker is None or presence.broker.age_s(presence.now_s) > FRESH_S:
        return known
    arena = presence.broker.message.arena
    return replace(
        known,
        latency=pipeline.recent_latency,
        frames_ended=pipeline.ended_lately,
        frames_failed=round(pipeline.error_rate * pipeline.ended_lately),
        # Of the present broker: what a dead one held is counted until it is settled, but waits for nobody.
        queue_length=presence.broker.message.frames.queued,
        arena_percent=100 * arena.used_bytes / arena.total_bytes if arena.total_bytes else None,
    )


def _is_draining(presence: Presence) -> bool:
    """Whether the daemon was told to end. A broker that died meanwhile is told by its state, not by its last word."""
    states = {service.state for service in presence.of_kind("broker")}
    if states & {"draining", "stopped"}:
        return True
    return "ready" in states and presence.broker is not None and presence.broker.message.is_draining
