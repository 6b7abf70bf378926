"""Health: is it alive, is it ready for frames, and what is wrong if not. Pure judgement of a `Presence`."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from control.advice import amount
from control.alerts import Alert
from control.presence import FRESH_S, Presence
from control.rules import loop_deaths
from ipc.settings import PoolSettings, Settings
from ipc.telemetry import ServiceFigures


class Status(StrEnum):
    """How well something is, best first."""

    OK = "ok"
    DEGRADED = "degraded"
    """Works, with less than it should have."""
    UNHEALTHY = "unhealthy"
    """Does not work, or says nothing."""


AWAY_S_MAX: Final = 3.0
"""A pool whose workers are all being restarted is waited for so long: frames are taken meanwhile, and wait too."""

_SEVERITY: Final = {status: severity for severity, status in enumerate(Status)}


class Check(msgspec.Struct, frozen=True):
    """Verdict on one part. `detail` is for people."""

    status: Status
    detail: str


class Health(msgspec.Struct, frozen=True):
    """Body of `GET /health`."""

    status: Status
    version: str | None
    epoch: str | None
    uptime_s: float | None
    checks: dict[str, Check]


class Liveness(msgspec.Struct, frozen=True):
    """Body of `GET /health/live`."""

    status: Status


class Readiness(msgspec.Struct, frozen=True):
    """Body of `GET /health/ready`."""

    ready: bool
    missing: list[str]
    """What is waited for, for people."""


def assess(presence: Presence, settings: Settings, firing: Iterable[Alert]) -> Health:
    """Judge everything."""
    checks = {
        "supervisor": _freshness(presence.supervisor_age_s),
        "broker": _broker(presence),
        "queue": _queue(presence, settings),
        **{pool.name: _pool(presence, pool, settings) for pool in settings.pipeline.pools},
        "canary": _canary(presence, settings),
        "sandbox": _sandbox(presence, settings),
        "alerts": _alerts(firing),
    }
    told = presence.supervisor.message if presence.supervisor else None
    return Health(
        status=worst(check.status for check in checks.values()),
        version=told.version if told else None,
        epoch=told.epoch if told else None,
        uptime_s=round(presence.now_s - told.started_at_s, 3) if told else None,
        checks=checks,
    )


def readiness(presence: Presence, settings: Settings) -> Readiness:
    """Judge whether a frame submitted now would be taken and come through: a canary has, not long ago."""
    missing = []
    if _freshness(presence.supervisor_age_s).status is not Status.OK:
        missing.append("telemetry of the supervisor")
    broker = _broker(presence)
    if broker.status is not Status.OK:
        missing.append(f"broker: {broker.detail}")
    missing += [f"a worker of {pool.name}" for pool in settings.pipeline.pools if not _serves(presence, pool)]
    canary = _canary(presence, settings)
    if canary.status is Status.UNHEALTHY:
        missing.append(f"canary: {canary.detail}")
    return Readiness(ready=not missing, missing=missing)


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of several verdicts; ok if there are none."""
    return max(statuses, key=_SEVERITY.__getitem__, default=Status.OK)


def _freshness(age_s: float | None) -> Check:
    if age_s is None:
        return Check(Status.UNHEALTHY, "not heard yet")
    if age_s > FRESH_S:
        return Check(Status.UNHEALTHY, f"silent for {age_s:.1f} s, more than {FRESH_S:g} s")
    return Check(Status.OK, f"heard {age_s:.1f} s ago")


def _broker(presence: Presence) -> Check:
    states = [service.state for service in presence.of_kind("broker")]
    if states and states[0] not in {"ready", "draining"}:
        return Check(Status.UNHEALTHY, states[0])
    freshness = _freshness(presence.broker_age_s)
    if freshness.status is not Status.OK or presence.broker is None:
        return freshness
    if states == ["draining"] or presence.broker.message.is_draining:
        return Check(Status.DEGRADED, "draining")
    return freshness


def _queue(presence: Presence, settings: Settings) -> Check:
    if presence.broker is None:
        return Check(Status.UNHEALTHY, "unknown")
    frames = presence.broker.message.frames
    count_max, bytes_max = settings.pipeline.queue_limit, settings.pipeline.queue_max_bytes
    # A frame may be refused before the last byte is taken: it has to fit as a whole.
    is_full = frames.queued * 10 >= count_max * 9 or frames.queued_bytes * 10 >= bytes_max * 9
    detail = f"{frames.queued} of {count_max} frames, {amount(frames.queued_bytes)} of {amount(bytes_max)}"
    return Check(Status.DEGRADED if is_full else Status.OK, detail)


def _pool(presence: Presence, pool: PoolSettings, settings: Settings) -> Check:
    services = presence.of_kind(pool.name)
    if not services:
        return Check(Status.UNHEALTHY, "unknown")
    ready = [service for service in services if service.state == "ready"]
    others = [f"{service.name} {service.state}" for service in services if service.state != "ready"]
    # A worker says nothing during a step, and a step may take as long as the limit allows.
    silent_s = FRESH_S + settings.pipeline.stage_timeout_ms / 1000
    silent = [f"{service.name} silent" for service in ready if _silence_s(presence, service) > silent_s]
    deaths = max(service.deaths_lately for service in services)
    looping = []
    if deaths >= loop_deaths(settings):
        window_s = settings.supervisor.restart_window_s
        looping = [f"crash loop: {deaths} deaths in {window_s:g} s, given up after {settings.supervisor.restarts_max}"]
    detail = ", ".join([f"{len(ready)} of {len(services)} ready", *others, *silent, *looping])
    if not _serves(presence, pool) or (ready and len(silent) == len(ready)):
        return Check(Status.UNHEALTHY, detail)
    return Check(Status.DEGRADED if others or silent or looping else Status.OK, detail)


def _serves(presence: Presence, pool: PoolSettings) -> bool:
    """Whether a worker of this pool is ready, or one was a moment ago."""
    away_s = presence.away_s(pool.name)
    return away_s is not None and away_s <= AWAY_S_MAX


def _canary(presence: Presence, settings: Settings) -> Check:
    if presence.broker is None:
        return Check(Status.UNHEALTHY, "unknown")
    if presence.broker.message.is_draining:
        return Check(Status.OK, "none while draining")
    canary = presence.broker.message.canary
    # Before it in each of two pools may lie frames that take as long as they may.
    age_s_max = FRESH_S + 2 * settings.pipeline.stage_timeout_ms / 1000
    waits = ""
    if canary.sent_at_s is not None and canary.waits_for:
        waits = f"; one is with {canary.waits_for} for {max(presence.now_s - canary.sent_at_s, 0):.1f} s"
    if canary.passed_at_s is None:
        return Check(Status.UNHEALTHY, f"no picture has passed all stages yet{waits}")
    age_s = max(presence.now_s - canary.passed_at_s, 0.0)
    if age_s > age_s_max:
        return Check(Status.UNHEALTHY, f"no picture has passed all stages for {age_s:.1f} s{waits}")
    if canary.fault:
        return Check(Status.DEGRADED, f"the last did not pass: {canary.fault}{waits}")
    return Check(Status.OK, f"passed {age_s:.1f} s ago in {canary.took_us / 1000:.1f} ms")


def _sandbox(presence: Presence, settings: Settings) -> Check:
    """Tell what holds the workers back: of each layer, what holds for all of them. What a kernel cannot is no fault."""
    workers = [service for pool in settings.pipeline.pools for service in presence.of_kind(pool.name)]
    heard = {service.name: telling.message.posture for service in workers if (telling := presence.worker(service))}
    if not heard:
        return Check(Status.OK, "unknown")
    landlock = min(posture.landlock for posture in heard.values())
    lacking = {
        "no_new_privileges": [name for name, posture in heard.items() if not posture.no_new_privileges],
        f"landlock {landlock}" if landlock else "landlock": [name for name, one in heard.items() if not one.landlock],
        "seccomp": [name for name, posture in heard.items() if not posture.seccomp],
    }
    in_force = [layer for layer, names in lacking.items() if not names] or [
        "workers have the rights of the daemon's user"
    ]
    limits = [posture.memory_limit_bytes for posture in heard.values()]
    if all(limits):
        in_force.append(f"at most {amount(max(limits))} mapped")
    mode = settings.sandbox.mode
    detail = f"{mode}: {', '.join(in_force)}"
    missing = [f"{layer} ({', '.join(names)})" for layer, names in lacking.items() if names]
    if mode == "off" or not missing:
        return Check(Status.OK, detail)
    return Check(Status.UNHEALTHY if mode == "required" else Status.OK, f"{detail}; missing: {', '.join(missing)}")


def _alerts(firing: Iterable[Alert]) -> Check:
    told = [f"{alert.name}: {alert.detail}" for alert in firing]
    return Check(Status.DEGRADED if told else Status.OK, "; ".join(told) or "none fires")


def _silence_s(presence: Presence, service: ServiceFigures) -> float:
    age_s = presence.age_s(service)
    if age_s is not None:
        return age_s
    return presence.now_s - service.started_at_s if service.started_at_s is not None else 0.0
