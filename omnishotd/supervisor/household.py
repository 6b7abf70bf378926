"""Household: all services, how they get processes, what is said to them, and what follows when a process ends."""

import logging
import time
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Final

from ipc.causes import Cause
from ipc.channel import ChannelClosed
from ipc.events import EventKind
from ipc.messages import ToChild, WorkerExpected, WorkerGone
from ipc.settings import Settings
from omnishotd.supervisor.lifecycle import STOPPABLE_STATES, ServiceEvent, ServiceState
from omnishotd.supervisor.nursery import Nursery
from omnishotd.supervisor.report import Report
from omnishotd.supervisor.restarts import DELAY_S_MIN, RestartPolicy
from omnishotd.supervisor.roster import BROKER, CONTROL, roster
from omnishotd.supervisor.service import Service

log = logging.getLogger(__name__)

AFTER_WORKERS_S: Final = 0.01
"""Pause before asking again whether the last worker of a dead pipeline has ended."""


class Departure(Enum):
    """What the end of a process means."""

    ORDERED = auto()
    """It had been told to end."""
    UNEXPECTED = auto()
    """It is started again, or given up."""


class Household:
    """The services of one daemon. `given_up` is told of each that died too often."""

    def __init__(
        self, settings: Settings, nursery: Nursery, telemetry_endpoint: str, given_up: Callable[[Service], None]
    ) -> None:
        self._nursery = nursery
        self._given_up = given_up
        self.services = roster(settings)
        self.broker = self.named(BROKER)
        self.control = self.named(CONTROL)
        supervision = settings.supervisor
        self.policies = {
            service.kind: RestartPolicy(supervision.restarts_max, supervision.restart_window_s)
            for service in self.services
        }
        self.report = Report(telemetry_endpoint, self.services, self.policies)

    def named(self, name: str) -> Service:
        """Find a service."""
        return next(service for service in self.services if service.name == name)

    @property
    def workers(self) -> list[Service]:
        """All stage workers."""
        return [service for service in self.services if service.is_worker]

    def due_times_s(self) -> Iterator[float]:
        """Yield when something has to be done about a service."""
        for service in self.services:
            if service.restart_at_s is not None:
                yield service.restart_at_s
            if service.kill_at_s is not None:
                yield service.kill_at_s

    # ---- birth

    def start(self) -> None:
        """Start everything for the first time. Raises `StartupError`."""
        self._nursery.begin_epoch()
        self.spawn(self.control)
        self.spawn_pipeline()

    def spawn_pipeline(self) -> None:
        """Start the broker and its workers."""
        self.spawn(self.broker)
        if not self.broker.is_live:
            return
        for service in self.workers:
            self.spawn(service)

    def spawn(self, service: Service) -> None:
        """Give a service a process; where that fails it is tried again later."""
        self._nursery.name_next(service)
        if service.is_worker:
            # ORDER: the broker must know the number before the worker can say it.
            self.tell(self.broker, WorkerExpected(service.incarnation, service.name, service.stages))
        try:
            self._nursery.spawn(service)
        except OSError as error:
            log.error("%s cannot be started: %s", service.name, error)  # noqa: TRY400 - no traceback for an operator
            if service.is_worker:
                self.tell(self.broker, WorkerGone(service.incarnation, "it was never started"))
            self._plan_restart(service)

    def restart(self, service: Service) -> None:
        """Start a service again whose time has come. Raises `StartupError` where there is no room for a new arena."""
        if service is not self.broker:
            if not service.is_worker or self.broker.is_live:
                self.spawn(service)
            return
        if any(other.is_live for other in self.workers):
            # The old arena is mapped as long as one of them lives. They have been killed.
            service.restart_at_s = time.monotonic() + AFTER_WORKERS_S
            return
        self._nursery.begin_epoch()
        self.spawn_pipeline()

    # ---- death

    def exited(self, service: Service) -> Departure:
        """Wait for a process that has ended, and plan what follows."""
        if service.child is None:
            return Departure.ORDERED
        pid = service.child.pid
        cause = service.kill_cause or (Cause.STOPPED if service.state is ServiceState.DRAINING else None)
        service.last_exit = service.child.reap(service.kill_reason, cause)
        service.child = None
        service.kill_at_s = None
        service.kill_reason, service.kill_cause = "", None
        self.report.exited(service, pid)
        if service.is_worker and self.broker.is_live:
            self.tell(self.broker, WorkerGone(service.incarnation, service.last_exit.reason))
        if service.state is ServiceState.DRAINING:
            service.advance(ServiceEvent.EXIT)
            return Departure.ORDERED
        log.warning("%s (pid %d) ended: %s", service.name, pid, service.last_exit.reason)
        self._plan_restart(service, cause)
        return Departure.UNEXPECTED

    def _plan_restart(self, service: Service, cause: Cause | None = None) -> None:
        """Say when it is started again. An end for a frame's fault, which took too long, does not count as a death."""
        now_s = time.monotonic()
        is_frames_fault = cause is Cause.TIME_LIMIT and service.state is ServiceState.READY
        delay_s = DELAY_S_MIN if is_frames_fault else self.policies[service.kind].died(now_s)
        if delay_s is not None:
            service.advance(ServiceEvent.EXIT)
            service.restart_at_s = now_s + delay_s
            return
        service.advance(ServiceEvent.GIVE_UP)
        log.error("%s is given up: %s died too often", service.name, service.kind)
        self.report.happened(EventKind.GAVE_UP, service.name, f"{service.kind} died too often")
        self._given_up(service)

    def bury_pipeline(self) -> None:
        """End all workers after the broker: what they hold belongs to a ledger that is gone."""
        for service in self.workers:
            if service.state in STOPPABLE_STATES:
                service.advance(ServiceEvent.ORDER_STOP)
                service.restart_at_s = None
                self.kill(service, "the broker died", Cause.BROKER_DIED)

    def kill(self, service: Service, reason: str, cause: Cause) -> None:
        """End a process, if there is one."""
        if service.child is not None:
            service.kill_reason, service.kill_cause = reason, cause
            service.child.kill()

    def tell(self, service: Service, message: ToChild) -> None:
        """Say something to a service's process, if there is one."""
        if service.child is None:
            return
        try:
            service.child.channel.send(message)
        except ChannelClosed:
            # It has died, or does not read for so long that it must: its pidfd tells which.
            service.child.kill()

    def close(self) -> None:
        """Leave nothing running, whatever happened before."""
        for service in self.services:
            if service.child is not None:
                service.child.kill()
                service.child.reap("the supervisor ended")
                service.child = None
        self.report.close()
        self._nursery.close()
