"""Who is there: the newest telemetry of each service, at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from control.lives import Heard
from ipc.telemetry import BrokerTelemetry, ServiceFigures, SupervisorTelemetry, WorkerTelemetry

FRESH_S: Final = 3.0
"""Telemetry older than this says nothing about the present: six intervals were missed."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Who was heard last, and when."""

    now_s: float
    supervisor: Heard[SupervisorTelemetry] | None
    broker: Heard[BrokerTelemetry] | None
    workers: dict[str, Heard[WorkerTelemetry]]
    """By name of the service."""
    ready_at_s: Mapping[str, float]
    """By kind: when one of its services was ready last, as the supervisor says."""

    @property
    def supervisor_age_s(self) -> float | None:
        """Time since the supervisor was heard; None if it never was."""
        return self.supervisor.age_s(self.now_s) if self.supervisor else None

    @property
    def broker_age_s(self) -> float | None:
        """Time since the broker was heard; None if it never was."""
        return self.broker.age_s(self.now_s) if self.broker else None

    @property
    def services(self) -> list[ServiceFigures]:
        """All services, as the supervisor knew them last."""
        return self.supervisor.message.services if self.supervisor else []

    def of_kind(self, kind: str) -> list[ServiceFigures]:
        """The services of one pool, or of one other kind."""
        return [service for service in self.services if service.kind == kind]

    def away_s(self, kind: str) -> float | None:
        """How long no service of a kind had been ready when the supervisor spoke last; None if none ever was.

        None also where all of them are given up: nobody will come back.
        """
        ready_at_s = self.ready_at_s.get(kind)
        if self.supervisor is None or ready_at_s is None:
            return None
        if all(service.state == "failed" for service in self.of_kind(kind)):
            return None
        return self.supervisor.message.at_s - ready_at_s

    def worker(self, service: ServiceFigures) -> Heard[WorkerTelemetry] | None:
        """Telemetry of a worker's present process, or None if it has not spoken yet."""
        heard = self.workers.get(service.name)
        if heard is None or (service.incarnation and heard.message.incarnation != service.incarnation):
            return None
        return heard

    def is_busy(self, service: ServiceFigures) -> bool:
        """Whether a service has frames in its hands."""
        broker = self.broker.message if self.broker else None
        if service.kind == "broker":
            return broker is not None and broker.frames.in_flight > 0
        worker = self.worker(service)
        if worker is None:
            return False
        # The broker's word goes first: a worker cannot speak while it works.
        load = broker.workers.get(service.name) if broker else None
        return load.held > 0 if load else worker.message.busy

    def age_s(self, service: ServiceFigures) -> float | None:
        """Time since a service was heard; None if its present process was not."""
        if service.kind == "control":
            return 0.0
        if service.kind == "supervisor":
            return self.supervisor_age_s
        if service.kind == "broker":
            return self.broker_age_s
        worker = self.worker(service)
        return worker.age_s(self.now_s) if worker else None
