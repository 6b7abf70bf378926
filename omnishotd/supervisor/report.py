"""Report: what the supervisor tells operators, by telemetry: the state of every service, and what happened."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import zmq

from ipc.events import EventKind, EventLog
from ipc.heap import HeapGauge
from ipc.telemetry import ServiceFigures, SupervisorTelemetry, TelemetrySender
from omnishotd import __version__
from omnishotd.supervisor.clock import AwakeClock
from omnishotd.supervisor.lifecycle import ServiceState
from omnishotd.supervisor.phase import Phase
from omnishotd.supervisor.restarts import RestartPolicy
from omnishotd.supervisor.roster import BROKER, CONTROL
from omnishotd.supervisor.service import Service

_STATE_OF: Final = {Phase.STARTING: ServiceState.SPAWNING, Phase.SERVING: ServiceState.READY}
"""The supervisor's own state, as operators see it; in all other phases it is draining."""

_READY: Final = {BROKER: EventKind.BROKER_READY, CONTROL: EventKind.CONTROL_READY}
_EXITED: Final = {BROKER: EventKind.BROKER_EXITED, CONTROL: EventKind.CONTROL_EXITED}


class Report:
    """Tells at intervals, and at once when a service's state is another than before."""

    def __init__(
        self, endpoint: str, services: Sequence[Service], policies: Mapping[str, RestartPolicy], clock: AwakeClock
    ) -> None:
        self.started_at_s = time.monotonic()
        self._services = services
        self._policies = policies
        self._clock = clock
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._telemetry = TelemetrySender(self._context, endpoint)
        self._events = EventLog()
        self._heap = HeapGauge()
        self._told: object = None

    def happened(self, event: EventKind, service: str, detail: str = "") -> None:
        """Note an event."""
        self._events.add(event, service, detail)
        self._telemetry.hurry()

    def became_ready(self, service: Service) -> None:
        """Note that a service serves."""
        detail = f"pid {service.child.pid}" if service.child else ""
        self.happened(_READY.get(service.kind, EventKind.WORKER_READY), service.name, detail)

    def exited(self, service: Service, pid: int) -> None:
        """Note that a service's process ended."""
        reason = service.last_exit.reason if service.last_exit else ""
        self.happened(_EXITED.get(service.kind, EventKind.WORKER_EXITED), service.name, f"pid {pid}: {reason}")

    def due_in_ms(self, now_s: float) -> int:
        """How long the loop may sleep."""
        return self._telemetry.due_in_ms(now_s)

    def offer(self, phase: Phase, epoch: str) -> None:
        """Tell if it is time, or if there is something new."""
        state = (phase, [(service.state, service.incarnation) for service in self._services])
        if state != self._told:
            self._telemetry.hurry()
            self._told = state
        self._telemetry.offer(self._figures(phase, epoch), time.monotonic())

    def close(self) -> None:
        """Close the socket."""
        self._telemetry.close()
        self._context.destroy(linger=0)

    def _figures(self, phase: Phase, epoch: str) -> Callable[[int], SupervisorTelemetry]:
        def make(sequence: int) -> SupervisorTelemetry:
            now_s = time.monotonic()
            own = ServiceFigures(
                name="supervisor",
                kind="supervisor",
                state=_STATE_OF.get(phase, ServiceState.DRAINING).value,
                pid=os.getpid(),
                started_at_s=self.started_at_s,
            )
            deaths = {kind: policy.deaths_lately(self._clock.now_s) for kind, policy in self._policies.items()}
            return SupervisorTelemetry(
                incarnation=0,
                epoch=epoch,
                sequence=sequence,
                at_s=now_s,
                version=__version__,
                started_at_s=self.started_at_s,
                services=[own, *(service.figures(deaths[service.kind]) for service in self._services)],
                events=self._events.latest,
                heap=self._heap.figures(now_s),
            )

        return make
