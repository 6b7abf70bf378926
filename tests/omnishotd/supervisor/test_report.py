"""What operators are told by the supervisor: every change at once, and what happened by name."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from ipc.events import EventKind
from ipc.sockets import make_context
from ipc.telemetry import INTERVAL_S, SupervisorTelemetry, decode_telemetry
from omnishotd.supervisor.clock import AwakeClock
from omnishotd.supervisor.lifecycle import ServiceEvent
from omnishotd.supervisor.phase import Phase
from omnishotd.supervisor.report import Report
from omnishotd.supervisor.restarts import RestartPolicy
from omnishotd.supervisor.roster import roster
from tests.control.support import make_settings


class Listener:
    """A report, and who hears it."""

    def __init__(self, directory: Path) -> None:
        endpoint = f"ipc://{directory}/t"
        self.context = make_context()
        self.pull = self.context.socket(zmq.PULL)
        self.pull.rcvtimeo = 5000
        self.pull.bind(endpoint)
        self.services = roster(make_settings())
        self.policies = {service.kind: RestartPolicy(10, 30.0) for service in self.services}
        self.report = Report(endpoint, self.services, self.policies, AwakeClock())

    def heard(self) -> SupervisorTelemetry:
        message = decode_telemetry(self.pull.recv())
        assert isinstance(message, SupervisorTelemetry)
        return message

    def offer(self, phase: Phase = Phase.SERVING) -> bool:
        """Give the report its turn. True if it was heard at once."""
        self.report.offer(phase, "e1")
        return bool(self.pull.poll(50))

    def close(self) -> None:
        self.report.close()
        self.context.destroy(linger=0)


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(tmp_path)
    yield listener
    listener.close()


def test_report_is_sent_at_intervals_and_at_once_after_a_change(listener: Listener) -> None:
    listener.report.offer(Phase.SERVING, "e1")
    began_s = time.monotonic()
    listener.heard()
    assert not listener.offer() or time.monotonic() - began_s >= INTERVAL_S

    listener.services[3].advance(ServiceEvent.SPAWN)
    listener.report.offer(Phase.SERVING, "e1")
    assert {service.state for service in listener.heard().services} == {"ready", "stopped", "spawning"}
    listener.report.offer(Phase.DRAINING, "e1")
    assert listener.heard().services[0].state == "draining"


def test_report_carries_what_happened_and_how_often_its_kind_died_lately(listener: Listener) -> None:
    decoder = next(service for service in listener.services if service.name == "decode-0")
    listener.policies["decode"].died("decode-0", 1, None, time.monotonic())
    listener.report.became_ready(decoder)
    listener.report.exited(decoder, 17)
    listener.report.happened(EventKind.GAVE_UP, "decode-0", "decode died too often")
    listener.report.offer(Phase.SERVING, "e1")

    told = listener.heard()
    assert [(event.event, event.service, event.detail) for event in told.events] == [
        (EventKind.WORKER_READY, "decode-0", ""),
        (EventKind.WORKER_EXITED, "decode-0", "pid 17: "),
        (EventKind.GAVE_UP, "decode-0", "decode died too often"),
    ]
    assert {service.kind: service.deaths_lately for service in told.services} == {
        "supervisor": 0, "broker": 0, "control": 0, "decode": 1, "transform+encode": 0,
    }  # fmt: skip
