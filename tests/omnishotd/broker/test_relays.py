"""Relays: each worker is believed about itself, and no more."""

from typing import Any

import msgspec
import pytest
import zmq

from ipc.telemetry import FrameFigures, StageFigures, SupervisorTelemetry, WorkerTelemetry
from omnishotd.broker.crew import Worker
from omnishotd.broker.relays import RELAY_BYTES_MAX, RELAYS_AT_ONCE_MAX, Forged, Relays
from tests.omnishotd.broker.rig import MS

WORKER = Worker(7, "decode-0", 0, b"w7")


def said(**changes: Any) -> bytes:
    """What `WORKER` says of itself, or something else."""
    own: dict[str, Any] = {
        "service": "decode-0",
        "incarnation": 7,
        "epoch": "e1",
        "sequence": 1,
        "at_s": 1.0,
        "stages": {"decode": StageFigures(3)},
    }
    return msgspec.msgpack.encode(WorkerTelemetry(**{**own, **changes}))


def relays_into(passed_on: list[bytes]) -> Relays:
    return Relays("e1", passed_on.append)


def test_telemetry_of_its_own_is_passed_on_as_it_came() -> None:
    passed_on: list[bytes] = []
    relays_into(passed_on).take(WORKER, said(), 0)

    assert passed_on == [said()]


@pytest.mark.parametrize("changes", [{"service": "encode-0"}, {"incarnation": 8}, {"epoch": "e0"}])
def test_telemetry_in_another_s_name_is_forged(changes: dict[str, Any]) -> None:
    passed_on: list[bytes] = []
    with pytest.raises(Forged):
        relays_into(passed_on).take(WORKER, said(**changes), 0)

    assert passed_on == []


def test_telemetry_that_is_no_worker_s_is_forged() -> None:
    other = SupervisorTelemetry(7, "e1", 1, 1.0, "9", 1.0, [])
    with pytest.raises(Forged):
        relays_into([]).take(WORKER, msgspec.msgpack.encode(other), 0)


def test_telemetry_that_is_none_is_refused() -> None:
    with pytest.raises(msgspec.MsgspecError):
        relays_into([]).take(WORKER, msgspec.msgpack.encode(FrameFigures()), 0)


def test_telemetry_longer_than_any_is_forged() -> None:
    with pytest.raises(Forged):
        relays_into([]).take(WORKER, bytes(RELAY_BYTES_MAX + 1), 0)


def test_more_than_a_worker_has_to_say_is_lost_and_another_worker_is_heard() -> None:
    passed_on: list[bytes] = []
    relays = relays_into(passed_on)
    for _ in range(100):
        relays.take(WORKER, said(), 0)
    assert len(passed_on) == RELAYS_AT_ONCE_MAX
    relays.take(Worker(8, "encode-0", 2, b"w8"), said(service="encode-0", incarnation=8), 0)
    relays.take(WORKER, said(), 1_000 * MS)

    assert len(passed_on) == RELAYS_AT_ONCE_MAX + 2


def test_telemetry_for_which_there_is_no_room_is_lost_and_the_next_is_passed_on() -> None:
    offered: list[bytes] = []

    def full_at_first(telemetry: bytes) -> None:
        offered.append(telemetry)
        if len(offered) == 1:
            raise zmq.Again

    relays = Relays("e1", full_at_first)
    relays.take(WORKER, said(), 0)
    relays.take(WORKER, said(sequence=2), 0)

    assert offered == [said(), said(sequence=2)]
