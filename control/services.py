"""Every service by name: its state, its process, how it ended last, and when it was last heard."""

import msgspec

from control.health import Status, assess
from control.presence import Presence
from ipc.settings import Settings
from ipc.telemetry import LastExit, ServiceFigures


class Exit(msgspec.Struct, frozen=True):
    """How the previous process of a service ended."""

    code: int | None
    signal: str | None
    reason: str
    at: str


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


class Services(msgspec.Struct, frozen=True):
    """Body of `GET /api/services/health`."""

    status: Status
    services: list[ServiceHealth]


def list_services(presence: Presence, settings: Settings) -> Services:
    """Describe all services that the supervisor has told of."""
    return Services(
        status=assess(presence, settings).status,
        services=[_service(presence, service) for service in presence.services],
    )


def _service(presence: Presence, service: ServiceFigures) -> ServiceHealth:
    age_s = presence.age_s(service)
    return ServiceHealth(
        name=service.name,
        kind=service.kind,
        state=service.state,
        pid=service.pid,
        uptime_s=None if service.started_at_s is None else round(presence.now_s - service.started_at_s, 3),
        restarts=service.restarts,
        last_exit=_exit(service.last_exit) if service.last_exit else None,
        busy=presence.is_busy(service),
        heartbeat_age_ms=None if age_s is None else round(age_s * 1000),
    )


def _exit(told: LastExit) -> Exit:
    return Exit(told.code, told.signal, told.reason, told.at)
