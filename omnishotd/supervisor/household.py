"""Household: all services, how they get processes, what is said to them, and what follows when a process ends."""

import logging
import subprocess
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Final

from ipc.causes import Cause
from ipc.channel import ChannelClosed
from ipc.events import EventKind
from ipc.messages import PoolFailed, Reconfigure, Stop, ToChild, WorkerExpected, WorkerGone
from ipc.reservation import ArenaUnavailable
from ipc.settings import Settings
from omnishotd.supervisor.children import ChildProcess
from omnishotd.supervisor.clock import AwakeClock
from omnishotd.supervisor.instance import StartupError
from omnishotd.supervisor.lifecycle import STOPPABLE_STATES, ServiceEvent, ServiceState
from omnishotd.supervisor.nursery import Nursery
from omnishotd.supervisor.report import Report
from omnishotd.supervisor.restarts import DELAY_S_MIN, RestartPolicy
from omnishotd.supervisor.roster import BROKER, CONTROL, roster
from omnishotd.supervisor.service import Member, Service

log = logging.getLogger(__name__)

AFTER_WORKERS_S: Final = 0.01
"""Pause before asking again whether the last worker of a dead pipeline has ended."""
SPAWN_TIMEOUT_S: Final = 10.0
STOP_TIMEOUT_S: Final = 2.0
"""What a child gets to end in order, once it has nothing left to do."""
REAP_TIMEOUT_S: Final = 5.0
"""What the kernel gets to let go of a killed child, where nobody has seen its end yet."""
EXIT_NO_RESOURCES: Final = 71


class Departure(Enum):
    """What the end of a process means."""

    ORDERED = auto()
    """It had been told to end."""
    UNEXPECTED = auto()
    """It is started again, or given up."""


class NotStarted(Exception):
    """A process could not be started: the host has no room for it, or no program. Logged already."""

    def __init__(self, reason: str, retry_in_s: float) -> None:
        super().__init__(reason)
        self.retry_in_s = retry_in_s


class Household:
    """The services of one daemon. `given_up` is told of each that died too often."""

    def __init__(
        self, nursery: Nursery, telemetry_endpoint: str, clock: AwakeClock, given_up: Callable[[Service], None]
    ) -> None:
        self._nursery = nursery
        self._clock = clock
        self._given_up = given_up
        self.services = roster(nursery.settings)
        self.broker = self.named(BROKER)
        self.control = self.named(CONTROL)
        supervision = nursery.settings.supervisor
        self.policies = {
            service.kind: RestartPolicy(supervision.restarts_max, supervision.restart_window_s)
            for service in self.services
        }
        self.report = Report(telemetry_endpoint, self.services, self.policies, clock)

    def named(self, name: str) -> Service:
        """Find a service."""
        return next(service for service in self.services if service.name == name)

    @property
    def workers(self) -> list[Service]:
        """All stage workers."""
        return [service for service in self.services if service.is_worker]

    @property
    def members(self) -> list[Member]:
        """All processes."""
        return [Member(service, child) for service in self.services for child in service.processes]

    def member(self, incarnation: int) -> Member | None:
        """Find a process by its number."""
        return next((member for member in self.members if member.child.incarnation == incarnation), None)

    def due_times_s(self) -> Iterator[float]:
        """Yield when something has to be done about a service."""
        yield from (service.restart_at_s for service in self.services if service.restart_at_s is not None)
        yield from (member.child.kill_at_s for member in self.members if member.child.kill_at_s is not None)

    # ---- birth

    def start(self) -> None:
        """Start everything for the first time. Raises `StartupError`."""
        try:
            self._nursery.begin_epoch()
        except ArenaUnavailable as error:
            raise StartupError(str(error), EXIT_NO_RESOURCES) from error
        for service in (self.control, self.broker, *self.workers):
            try:
                self._put_in_charge(service)
            except NotStarted as failure:
                raise StartupError(str(failure), EXIT_NO_RESOURCES) from failure

    def spawn_pipeline(self) -> None:
        """Start the broker and its workers."""
        self.spawn(self.broker)
        if not self.broker.is_live:
            return
        for service in self.workers:
            self.spawn(service)

    def spawn(self, service: Service) -> None:
        """Give a service a process; where that fails it is tried again later."""
        try:
            self._put_in_charge(service)
        except NotStarted as failure:
            service.advance(ServiceEvent.EXIT)
            service.restart_at_s = self._clock.now_s + failure.retry_in_s

    def _put_in_charge(self, service: Service) -> None:
        service.advance(ServiceEvent.SPAWN)
        service.take_charge(self.bear(service))

    def bear(self, service: Service) -> ChildProcess:
        """Start a process for a service. Raises `NotStarted`."""
        incarnation = self._nursery.next_incarnation()
        if service.is_worker:
            # ORDER: the broker must know the number before the worker can say it.
            self.tell(self.broker, WorkerExpected(incarnation, service.name, service.stages))
        try:
            child = self._nursery.spawn(service, incarnation)
        except OSError as error:
            if service.is_worker:
                self.tell(self.broker, WorkerGone(incarnation, "it was never started"))
            reason = f"{service.name} cannot be started: {error.strerror}"
            log.error("%s", reason)  # noqa: TRY400 - no traceback for an operator
            raise NotStarted(reason, self.policies[service.kind].not_started(service.name, incarnation)) from error
        child.kill_at_s = self._clock.now_s + SPAWN_TIMEOUT_S
        return child

    def restart_due(self) -> None:
        """Start again whose time has come."""
        for service in self.services:
            if service.restart_at_s is not None and self._clock.now_s >= service.restart_at_s:
                self.restart(service)

    def restart(self, service: Service) -> None:
        """Start a service again whose time has come."""
        if service is not self.broker:
            if not service.is_worker or self.broker.is_live:
                self.spawn(service)
            return
        now_s = self._clock.now_s
        if any(other.is_live for other in self.workers):
            # The old arena is mapped as long as one of them lives. They have been killed.
            service.restart_at_s = now_s + AFTER_WORKERS_S
            return
        try:
            self._nursery.begin_epoch()
        except ArenaUnavailable as error:
            service.restart_at_s = now_s + self.policies[BROKER].not_started(BROKER, 0)
            log.error("%s", error)  # noqa: TRY400 - no traceback for an operator
            return
        self.spawn_pipeline()

    # ---- death

    def exited(self, member: Member) -> Departure:
        """Wait for a process that has ended, and plan what follows."""
        service, child = member.service, member.child
        pid = child.pid
        service.last_exit = child.reap()
        self.report.exited(service, pid)
        if service.is_worker and self.broker.is_live:
            self.tell(
                self.broker, WorkerGone(child.incarnation, service.last_exit.reason, service.last_exit.signal or "")
            )
        is_ordered = (
            service.state is ServiceState.DRAINING
            or child.stop_cause is not None
            or child.kill_cause is Cause.BROKER_DIED
        )
        if not is_ordered:
            log.warning("%s (pid %d) ended: %s", service.name, pid, service.last_exit.reason)
        delay_s = None if is_ordered else self._count(member, service.last_exit.cause)
        if child is service.successor:
            service.successor = None
            if service.state is ServiceState.READY:
                service.succeed_at_s = self._clock.now_s + (delay_s or self.policies[service.kind].window_s)
        elif child is service.retiring:
            service.retiring = None
        else:
            service.child = None
            self._replace(service, service.last_exit.cause, delay_s)
        return Departure.ORDERED if is_ordered else Departure.UNEXPECTED

    def _count(self, member: Member, cause: Cause) -> float | None:
        """Count a death, and say after how many seconds its service may be started again; None: not at all.

        An end for a frame's fault, which took too long, is no death of the service.
        """
        service, child = member.service, member.child
        if cause is Cause.TIME_LIMIT and child.is_ready:
            return DELAY_S_MIN
        now_s = self._clock.now_s
        served_s = None if child.ready_at_s is None else now_s - child.ready_at_s
        return self.policies[service.kind].died(service.name, child.incarnation, served_s, now_s)

    def _replace(self, service: Service, cause: Cause, delay_s: float | None) -> None:
        """Say who follows the process that was in charge."""
        service.died_of, service.succeed_at_s = cause, None
        if service.state is ServiceState.DRAINING:
            service.advance(ServiceEvent.EXIT)
        elif service.successor is not None:
            service.advance(ServiceEvent.SUCCEED)
            service.take_charge(service.successor)
            service.successor = None
        elif delay_s is not None:
            service.advance(ServiceEvent.EXIT)
            service.restart_at_s = self._clock.now_s + delay_s
        else:
            self._give_up(service)

    def _give_up(self, service: Service) -> None:
        service.advance(ServiceEvent.GIVE_UP)
        log.error("%s is given up: %s died too often", service.name, service.kind)
        self.report.happened(EventKind.GAVE_UP, service.name, f"{service.kind} died too often")
        pool = [other for other in self.workers if other.kind == service.kind]
        if pool and all(other.state is ServiceState.FAILED for other in pool):
            # Frames wait for nobody: a worker that retires takes no more, and another is not to come.
            self.tell(self.broker, PoolFailed(service.kind))
        self._given_up(service)

    def forgive(self, incarnations: list[int]) -> None:
        """Take back deaths that were a frame's fault, and what followed from them."""
        now_s = self._clock.now_s
        forgiving = {kind for kind, policy in self.policies.items() if policy.forgive(incarnations)}
        for service in self.services:
            policy = self.policies[service.kind]
            if service.kind not in forgiving:
                continue
            if service.state is ServiceState.FAILED and not policy.is_exhausted(now_s):
                service.advance(ServiceEvent.RELENT)
                log.warning("%s is started again: what it died of was a frame", service.name)
                service.restart_at_s = now_s + policy.delay_s(service.name)
            elif service.restart_at_s is not None:
                service.restart_at_s = min(service.restart_at_s, now_s + policy.delay_s(service.name))

    def bury_pipeline(self) -> None:
        """End all workers after the broker: what they hold belongs to a ledger that is gone."""
        for service in self.workers:
            if service.state in STOPPABLE_STATES:
                service.advance(ServiceEvent.ORDER_STOP)
                service.restart_at_s = None
            for child in service.processes:
                child.kill("the broker died", Cause.BROKER_DIED)

    def kill_overdue(self) -> None:
        """Kill whoever has had time enough to become ready, or to end."""
        for member in self.members:
            child = member.child
            if child.kill_at_s is None or self._clock.now_s < child.kill_at_s:
                continue
            child.kill_at_s = None
            if not child.is_ready and child.stop_cause is None:
                child.kill("not ready in time", Cause.NOT_READY)
            elif child is member.service.retiring and child.stop_cause is None:
                child.kill("held its frames for too long after it had a successor", Cause.RECYCLED)
            else:
                child.kill("did not end", child.stop_cause or Cause.STOPPED)

    # ---- what is said to them

    def order_stop(self, child: ChildProcess, cause: Cause) -> None:
        """Tell a process to end, and give it time for that. Telling it again gives it no more."""
        if child.stop_cause is None:
            child.stop_cause = cause
            child.kill_at_s = self._clock.now_s + STOP_TIMEOUT_S
            _say(child, Stop())

    def tell(self, service: Service, message: ToChild) -> None:
        """Say something to the process in charge, if there is one."""
        if service.child is not None:
            _say(service.child, message)

    def reconfigure(self, settings: Settings) -> None:
        """Have broker and control plane take over what was changed, and their successors."""
        self._nursery.settings = settings
        self.tell(self.broker, Reconfigure(settings.without_secrets()))
        self.tell(self.control, Reconfigure(settings))

    def close(self) -> None:
        """Leave nothing running, whatever happened before."""
        members = self.members
        for member in members:
            member.child.kill("the supervisor ended", Cause.STOPPED)
        for member in members:
            try:
                member.child.reap(REAP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                log.exception("%s (pid %d) does not end", member.service.name, member.child.pid)
            member.service.child = member.service.successor = member.service.retiring = None
        self.report.close()
        self._nursery.close()


def _say(child: ChildProcess, message: ToChild) -> None:
    try:
        child.channel.send(message)
    except ChannelClosed:
        # It has died, or does not read for so long that it must: its pidfd tells which.
        child.kill()
