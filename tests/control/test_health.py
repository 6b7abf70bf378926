"""Health, by table: what is wrong, how bad it is, and what the operator is told."""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec
import pytest

from control.alerts import Alert, AlertState
from control.collector import Collector
from control.health import AWAY_S_MAX, Check, Status, assess, readiness, worst
from control.presence import Presence
from ipc.settings import SandboxSettings
from ipc.telemetry import (
    BrokerTelemetry,
    CanaryFigures,
    Posture,
    StageFigures,
    SupervisorTelemetry,
    Telemetry,
    WorkerTelemetry,
)
from tests.control.support import make_broker, make_frames, make_settings, make_supervisor, make_worker

NOW_S = 100.0
OK, DEGRADED, UNHEALTHY = Status.OK, Status.DEGRADED, Status.UNHEALTHY
SUPERVISOR = make_supervisor(at_s=99)
BROKER = make_broker(at_s=99)
NAMES = ("decode-0", "decode-1", "transform+encode-0")
WORKERS = [make_worker(name, {"decode": StageFigures()}, at_s=99) for name in NAMES]


def with_canary(**figures: Any) -> BrokerTelemetry:
    return make_broker(at_s=99, canary=CanaryFigures(**figures))


def looping(deaths: int) -> SupervisorTelemetry:
    told = make_supervisor(at_s=99)
    services = [
        msgspec.structs.replace(service, deaths_lately=deaths) if service.kind == "decode" else service
        for service in told.services
    ]
    return msgspec.structs.replace(told, services=services)


SHUT_IN = Posture(no_new_privileges=True, seccomp=True, landlock=7, memory_limit_bytes=1400 << 20)


def in_sandbox(name: str, **posture: Any) -> WorkerTelemetry:
    return msgspec.structs.replace(make_worker(name, at_s=99), posture=msgspec.structs.replace(SHUT_IN, **posture))


def presence_of(messages: Iterable[Telemetry]) -> Presence:
    collector = Collector(["decode"])
    for message in messages:
        collector.take(message, NOW_S)
    return collector.presence(NOW_S)


def all_away_since(seconds: float, **states: str) -> Presence:
    """Both workers that decode were ready `seconds` ago, and not since."""
    gone = {"decode_0": "backoff", "decode_1": "spawning", **states}
    serving = make_supervisor(sequence=1, at_s=NOW_S - seconds)
    return presence_of([serving, make_supervisor(sequence=2, at_s=NOW_S, **gone), BROKER])


def test_health_with_everything_well_is_ok_and_ready() -> None:
    presence = presence_of([SUPERVISOR, BROKER, *WORKERS])
    health = assess(presence, make_settings(), [])

    assert health.status is OK
    assert list(health.checks) == [
        "supervisor",
        "broker",
        "queue",
        "decode",
        "transform+encode",
        "canary",
        "sandbox",
        "alerts",
    ]
    assert (health.version, health.epoch, health.uptime_s) == ("1.2.3", "e1", 100)
    assert readiness(presence, make_settings()).ready


@pytest.mark.parametrize(
    ("messages", "check", "status", "detail", "is_ready"),
    [
        ([BROKER], "supervisor", UNHEALTHY, "not heard yet", False),
        ([make_supervisor(at_s=96.9), BROKER], "supervisor", UNHEALTHY, "silent for 3.1 s", False),
        ([SUPERVISOR], "broker", UNHEALTHY, "not heard yet", False),
        ([SUPERVISOR], "queue", UNHEALTHY, "unknown", False),
        ([SUPERVISOR, make_broker(at_s=97.1)], "broker", OK, "heard 2.9 s ago", True),
        ([SUPERVISOR, make_broker(at_s=96.9)], "broker", UNHEALTHY, "silent for 3.1 s", False),
        ([make_supervisor(at_s=99, broker="backoff"), BROKER], "broker", UNHEALTHY, "backoff", False),
        ([make_supervisor(at_s=99, broker="draining"), BROKER], "broker", DEGRADED, "draining", False),
        ([SUPERVISOR, make_broker(at_s=99, is_draining=True)], "broker", DEGRADED, "draining", False),
        ([SUPERVISOR, make_broker(make_frames(queued=8), at_s=99)], "queue", OK, "8 of 10 frames", True),
        ([SUPERVISOR, make_broker(make_frames(queued=9), at_s=99)], "queue", DEGRADED, "9 of 10 frames", True),
        (
            [SUPERVISOR, make_broker(make_frames(queued=1, queued_bytes=1000), at_s=99)],
            "queue",
            DEGRADED,
            "1000 bytes of 1000 bytes",
            True,
        ),
        ([BROKER], "decode", UNHEALTHY, "unknown", False),
        (
            [make_supervisor(at_s=99, decode_1="backoff"), BROKER, *WORKERS],
            "decode",
            DEGRADED,
            "decode-1 backoff",
            True,
        ),
        (
            [make_supervisor(at_s=99, decode_0="failed", decode_1="failed"), BROKER],
            "decode",
            UNHEALTHY,
            "0 of 2 ready",
            False,
        ),
        (
            [make_supervisor(at_s=99, transform_encode_0="spawning"), BROKER],
            "transform+encode",
            UNHEALTHY,
            "spawning",
            False,
        ),
        # A step may take 5 s, so 8 s of silence are suspicious; the process started 100 s ago.
        (
            [SUPERVISOR, BROKER, make_worker("decode-0", at_s=91.9), WORKERS[1]],
            "decode",
            DEGRADED,
            "decode-0 silent",
            True,
        ),
        ([SUPERVISOR, BROKER, make_worker("decode-0", at_s=92.1), WORKERS[1]], "decode", OK, "2 of 2 ready", True),
        ([SUPERVISOR, BROKER], "decode", UNHEALTHY, "decode-0 silent, decode-1 silent", True),
        ([looping(4), BROKER, *WORKERS], "decode", OK, "2 of 2 ready", True),
        ([looping(5), BROKER, *WORKERS], "decode", DEGRADED, "crash loop: 5 deaths in 30 s", True),
        ([SUPERVISOR, BROKER], "canary", OK, "passed 1.0 s ago in 2.0 ms", True),
        ([SUPERVISOR, with_canary()], "canary", UNHEALTHY, "no picture has passed all stages yet", False),
        # A step may take 5 s in each of two pools, so 13 s without a picture are too many.
        ([SUPERVISOR, with_canary(passed_at_s=87.1)], "canary", OK, "passed 12.9 s ago", True),
        (
            [SUPERVISOR, with_canary(passed_at_s=86.9, sent_at_s=88.0, waits_for="transform+encode")],
            "canary",
            UNHEALTHY,
            "for 13.1 s; one is with transform+encode for 12.0 s",
            False,
        ),
        (
            [SUPERVISOR, with_canary(passed_at_s=98.0, fault="decode-0 died")],
            "canary",
            DEGRADED,
            "the last did not pass: decode-0 died",
            True,
        ),
        ([SUPERVISOR, make_broker(at_s=99, is_draining=True, canary=CanaryFigures())], "canary", OK, "draining", False),
    ],
)
def test_check_of_a_fault_says_how_bad_it_is(
    messages: list[Telemetry], check: str, status: Status, detail: str, is_ready: bool
) -> None:
    presence = presence_of(messages)
    health = assess(presence, make_settings(), [])

    assert health.checks[check].status is status
    assert detail in health.checks[check].detail
    assert health.status is worst(one.status for one in health.checks.values())
    assert readiness(presence, make_settings()).ready == is_ready


@pytest.mark.parametrize(
    ("postures", "mode", "status", "detail"),
    [
        ({}, "auto", OK, "auto: no_new_privileges, landlock 7, seccomp, at most 1.4 GiB mapped"),
        ({}, "required", OK, "required: no_new_privileges, landlock 7, seccomp, at most 1.4 GiB mapped"),
        ({"landlock": 3, "memory_limit_bytes": 2 << 30}, "auto", OK, "landlock 3, seccomp, at most 2.0 GiB mapped"),
        ({"seccomp": False}, "auto", OK, "mapped; missing: seccomp (decode-1)"),
        ({"landlock": 0}, "auto", OK, "missing: landlock (decode-1)"),
        ({"seccomp": False}, "required", UNHEALTHY, "missing: seccomp (decode-1)"),
        ({"landlock": 0}, "required", UNHEALTHY, "missing: landlock (decode-1)"),
        ({"no_new_privileges": False}, "required", UNHEALTHY, "missing: no_new_privileges (decode-1)"),
        ({"memory_limit_bytes": 0}, "required", OK, "required: no_new_privileges, landlock 7, seccomp"),
    ],
)
def test_sandbox_is_told_as_it_holds_for_the_worst_worker(
    postures: dict[str, Any], mode: Literal["auto", "required"], status: Status, detail: str
) -> None:
    workers = [in_sandbox("decode-0"), in_sandbox("decode-1", **postures), in_sandbox("transform+encode-0")]
    settings = msgspec.structs.replace(make_settings(), sandbox=SandboxSettings(mode=mode))
    check = assess(presence_of([SUPERVISOR, BROKER, *workers]), settings, []).checks["sandbox"]

    assert (check.status, detail in check.detail) == (status, True), check


def test_sandbox_that_is_off_says_so_and_is_no_fault() -> None:
    settings = msgspec.structs.replace(make_settings(), sandbox=SandboxSettings(mode="off"))
    check = assess(presence_of([SUPERVISOR, BROKER, *WORKERS]), settings, []).checks["sandbox"]

    assert check == Check(OK, "off: workers have the rights of the daemon's user")


def test_sandbox_of_workers_that_have_not_spoken_is_unknown() -> None:
    check = assess(presence_of([SUPERVISOR, BROKER]), make_settings(), []).checks["sandbox"]

    assert check == Check(OK, "unknown")


def test_pool_whose_workers_are_all_away_for_a_moment_is_degraded_and_the_daemon_stays_ready() -> None:
    presence = all_away_since(AWAY_S_MAX)

    assert readiness(presence, make_settings()).missing == []
    assert assess(presence, make_settings(), []).checks["decode"].status is DEGRADED


@pytest.mark.parametrize(
    ("seconds", "states"),
    [(AWAY_S_MAX + 0.01, {}), (0.1, {"decode_0": "failed", "decode_1": "failed"})],
    ids=["for too long", "given up"],
)
def test_pool_whose_workers_are_all_away_is_missed(seconds: float, states: dict[str, str]) -> None:
    presence = all_away_since(seconds, **states)

    assert readiness(presence, make_settings()).missing == ["a worker of decode"]
    assert assess(presence, make_settings(), []).checks["decode"].status is UNHEALTHY


def test_pool_that_has_never_been_ready_is_missed_at_once() -> None:
    presence = presence_of([make_supervisor(at_s=99, decode_0="spawning", decode_1="spawning"), BROKER])

    assert readiness(presence, make_settings()).missing == ["a worker of decode"]


def test_readiness_names_everything_that_is_missing() -> None:
    presence = presence_of([make_supervisor(at_s=99, decode_0="backoff", decode_1="spawning", broker="spawning")])

    assert readiness(presence, make_settings()).missing == [
        "broker: spawning",
        "a worker of decode",
        "canary: unknown",
    ]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [([], OK), ([OK, OK], OK), ([OK, DEGRADED], DEGRADED), ([UNHEALTHY, DEGRADED, OK], UNHEALTHY)],
)
def test_worst_is_the_gravest(statuses: list[Status], expected: Status) -> None:
    assert worst(statuses) is expected


def test_firing_alert_is_told_by_name_and_degrades() -> None:
    alert = Alert("queue_length", AlertState.FIRING, 25, 20, "2026-01-01T00:00:00Z", "25 frames wait, more than 20")
    health = assess(presence_of([SUPERVISOR, BROKER, *WORKERS]), make_settings(), [alert])

    assert health.status is DEGRADED
    assert health.checks["alerts"].detail == "queue_length: 25 frames wait, more than 20"
