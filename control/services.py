"""Every service by name: its state, its process, how it ended last, when it was last heard; how work is shared out."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from control.collector import Collector
from control.health import Health, Status
from control.metrics import worker_utilization
from control.processes import ProcessFigures
from ipc.settings import Settings
from ipc.telemetry import BrokerTelemetry, LastExit, Posture


class Exit(msgspec.Struct, frozen=True):
    """How the previous process of a service ended."""

    code: int | None
    signal: str | None
    reason: str
    at: str
    cause: str
    """`crash`, `exit`, `time_limit`, `protocol`, `unreachable`, `not_ready`, `hung`, `recycled`, `broker_died`
    or `stopped`."""


class ServiceHealth(msgspec.Struct, frozen=True):
    """One service."""

    name: str
    kind: str
    state: str
    pid: int | None
    uptime_s: float | None
    restarts: int
    last_exit: Exit | None
    busy: bool
    heartbeat_age_ms: int | None
    restarts_by_cause: dict[str, int]
    utilization: float | None
    """Of a worker: share of the last 10 s, 0 to 1, that it worked."""
    cpu_percent: float | None
    """Of one core, over the last seconds."""
    pss_bytes: int | None
    descriptors: int | None
    """Open files and sockets."""
    sandbox: list[str] | None
    """Of a worker: what holds it back, of `no_new_privileges`, `seccomp`, `landlock` and `memory_limit_bytes`."""


class Distribution(msgspec.Struct, frozen=True):
    """How frames are shared out among workers, and what that goes by."""

    whole_frame_pixels_max: int | Literal["auto"]
    """As configured."""
    whole: int
    """Frames that one worker did as a whole, of all that this broker started."""
    by_stages: int
    """Frames that passed from stage to stage."""
    hand_over_ms: float
    """From one worker to the next, as canaries measure it."""
    spread_from_ms: float
    """With `auto`: a frame of several outputs and so much work is spread over idle workers."""
    heavy_from_ms: float
    """A frame of so much work is heavy: it passes by stages, in a lane of its own."""
    heavy_waiting: int
    heavy_in_work: int
    light_about: bool
    """Whether light frames are there, or were lately: heavy ones have no more than their share then."""
    arena_kept_bytes: int
    """Kept free for the heavy frame that waits for room."""


class Services(msgspec.Struct, frozen=True):
    """Body of `GET /api/services/health`."""

    status: Status
    services: list[ServiceHealth]
    distribution: Distribution | None
    """Null until the broker has told."""


def list_services(
    health: Health,
    collector: Collector,
    processes: Mapping[str, ProcessFigures],
    settings: Settings,
    now_s: float,
) -> Services:
    """Describe all services that the supervisor has told of."""
    presence = collector.presence(now_s)
    services = []
    for service in presence.services:
        age_s = presence.age_s(service)
        process = processes.get(service.name)
        if process is not None and process.pid != service.pid:
            process = None
        worker = presence.worker(service)
        services.append(
            ServiceHealth(
                name=service.name,
                kind=service.kind,
                state=service.state,
                pid=service.pid,
                uptime_s=None if service.started_at_s is None else round(now_s - service.started_at_s, 3),
                restarts=service.restarts,
                last_exit=_exit(service.last_exit) if service.last_exit else None,
                busy=presence.is_busy(service),
                heartbeat_age_ms=None if age_s is None else round(age_s * 1000),
                restarts_by_cause={cause.value: count for cause, count in service.restarts_by_cause.items()},
                utilization=None
                if worker is None
                else round(worker_utilization(collector, service, settings, now_s), 4),
                cpu_percent=process.cpu_percent if process else None,
                pss_bytes=process.pss_bytes if process else None,
                descriptors=process.descriptors if process else None,
                sandbox=None if worker is None else _sandbox(worker.message.posture),
            )
        )
    broker = presence.broker
    return Services(health.status, services, None if broker is None else _distribution(broker.message, settings))


def _distribution(told: BrokerTelemetry, settings: Settings) -> Distribution:
    fusion, lanes = told.fusion, told.lanes
    return Distribution(
        whole_frame_pixels_max=settings.pipeline.whole_frame_pixels_max,
        whole=fusion.whole,
        by_stages=fusion.by_stages,
        hand_over_ms=fusion.hand_over_us / 1000,
        spread_from_ms=fusion.spread_us_min / 1000,
        heavy_from_ms=lanes.heavy_us / 1000,
        heavy_waiting=lanes.waiting,
        heavy_in_work=lanes.working,
        light_about=lanes.is_shared,
        arena_kept_bytes=lanes.kept_bytes,
    )


def _sandbox(posture: Posture) -> list[str]:
    return [name for name, holds in msgspec.structs.asdict(posture).items() if holds]


def _exit(told: LastExit) -> Exit:
    return Exit(told.code, told.signal, told.reason, told.at, told.cause.value)
