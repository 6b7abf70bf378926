"""Health, by table: what is wrong, how bad it is, and what the operator is told."""

from collections.abc import Iterable

import pytest

from control.collector import Collector
from control.health import Status, assess, readiness, worst
from control.presence import Presence
from ipc.telemetry import StageFigures, Telemetry
from tests.control.support import make_broker, make_frames, make_settings, make_supervisor, make_worker

NOW_S = 100.0
OK, DEGRADED, UNHEALTHY = Status.OK, Status.DEGRADED, Status.UNHEALTHY
SUPERVISOR = make_supervisor(at_s=99)
BROKER = make_broker(at_s=99)
WORKERS = [
    make_worker(name, {"decode": StageFigures()}, at_s=99) for name in ("decode-0", "decode-1", "transform+encode-0")
]


def presence_of(messages: Iterable[Telemetry]) -> Presence:
    collector = Collector(["decode"])
    for message in messages:
        collector.take(message, NOW_S)
    return collector.presence(NOW_S)


def test_health_with_everything_well_is_ok_and_ready() -> None:
    presence = presence_of([SUPERVISOR, BROKER, *WORKERS])
    health = assess(presence, make_settings())

    assert health.status is OK
    assert list(health.checks) == ["supervisor", "broker", "queue", "decode", "transform+encode"]
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
            "1000 of 1000 bytes",
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
    ],
)
def test_check_of_a_fault_says_how_bad_it_is(
    messages: list[Telemetry], check: str, status: Status, detail: str, is_ready: bool
) -> None:
    presence = presence_of(messages)
    health = assess(presence, make_settings())

    assert health.checks[check].status is status
    assert detail in health.checks[check].detail
    assert health.status is worst(one.status for one in health.checks.values())
    assert readiness(presence, make_settings()).ready == is_ready


def test_readiness_names_everything_that_is_missing() -> None:
    presence = presence_of([make_supervisor(at_s=99, decode_0="backoff", decode_1="spawning", broker="spawning")])

    assert readiness(presence, make_settings()).missing == ["broker: spawning", "a worker of decode"]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [([], OK), ([OK, OK], OK), ([OK, DEGRADED], DEGRADED), ([UNHEALTHY, DEGRADED, OK], UNHEALTHY)],
)
def test_worst_is_the_gravest(statuses: list[Status], expected: Status) -> None:
    assert worst(statuses) is expected
