"""Supervisor: life and death of all other processes, and nothing else. It sees no producer and no frame.

One loop: signals, what children say, their deaths, and time. Children are told by `ipc.channel`, and believed dead only
when their pidfd says so and they have been waited for.
"""

import contextlib
import logging
import os
import signal
import socket
import time
from typing import Final

import zmq

from ipc.channel import ChannelClosed, ChannelMisused
from ipc.messages import Drain, Drained, FromChild, Kill, Ready, Stop, Unable, WorkerExpected, WorkerGone
from ipc.settings import Settings
from ipc.telemetry import ServiceFigures, SupervisorTelemetry, TelemetrySender
from omnishotd import __version__
from omnishotd.supervisor.instance import Instance, StartupError
from omnishotd.supervisor.lifecycle import STOPPABLE_STATES, ServiceEvent, ServiceState
from omnishotd.supervisor.notify import Notifier
from omnishotd.supervisor.nursery import Nursery
from omnishotd.supervisor.phase import STOPPING, Phase, PhaseEvent, advance_phase
from omnishotd.supervisor.restarts import DELAY_S_MIN, RestartPolicy
from omnishotd.supervisor.roster import BROKER, CONTROL, roster
from omnishotd.supervisor.service import Service
from omnishotd.supervisor.signals import SignalPipe
from omnishotd.supervisor.watch import watch

log = logging.getLogger(__name__)

STOP_TIMEOUT_S: Final = 2.0
"""What a child gets to end in order, once it has nothing left to do."""
AFTER_WORKERS_S: Final = 0.01
"""Pause before asking again whether the last worker of a dead pipeline has ended."""
DRAIN_MS_HURRIED: Final = 500
"""What is left for draining after a second signal."""
EXIT_GAVE_UP: Final = 1

_STATE_OF: Final = {Phase.STARTING: ServiceState.SPAWNING, Phase.SERVING: ServiceState.READY}
"""The supervisor's own state, as operators see it; in all other phases it is draining."""


class Supervisor:
    """One daemon. `run` returns its exit status."""

    def __init__(
        self,
        settings: Settings,
        instance: Instance,
        listener: socket.socket,
        notifier: Notifier,
        *,
        json_logs: bool,
        ready_fd: int | None,
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._notifier = notifier
        self._ready_fd = ready_fd
        self._phase = Phase.STARTING
        self._failure: StartupError | None = None
        self._has_served = False
        self._started_at_s = time.monotonic()
        self._services = roster(settings)
        self._broker = next(service for service in self._services if service.kind == BROKER)
        supervision = settings.supervisor
        self._policies = {
            service.kind: RestartPolicy(supervision.restarts_max, supervision.restart_window_s)
            for service in self._services
        }
        self._nursery = Nursery(settings, instance, listener, json_logs=json_logs)
        self._signals = SignalPipe()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._telemetry = TelemetrySender(self._context, instance.endpoint("telemetry.sock"))

    def run(self) -> int:
        """Start everything, keep it alive, and stop it when told to. Raises `StartupError` if it never served."""
        try:
            self._nursery.begin_epoch()
            self._spawn(self._named(CONTROL))
            self._spawn_pipeline()
            while self._phase is not Phase.ENDED:
                self._turn()
        finally:
            self._end_all()
        if self._failure is None:
            return 0
        if not self._has_served:
            raise self._failure
        return self._failure.exit_status

    # ---- one turn

    def _turn(self) -> None:
        happenings = watch(self._services, self._signals, self._wait_ms())
        for number in happenings.signals:
            self._signalled(number)
        # What a child said before it ended comes first: it may say why.
        for service in happenings.talking:
            self._listen_to(service)
        for service in happenings.ended:
            self._exited(service)
        self._pass_time(time.monotonic())
        self._telemetry.offer(self._figures, time.monotonic())

    def _wait_ms(self) -> int:
        now_s = time.monotonic()
        times = [service.restart_at_s for service in self._services if service.restart_at_s is not None]
        times += [service.kill_at_s for service in self._services if service.kill_at_s is not None]
        wait_ms = self._telemetry.due_in_ms(now_s)
        return min([wait_ms, *(max(0, int((at_s - now_s) * 1000) + 1) for at_s in times)])

    def _signalled(self, number: signal.Signals) -> None:
        if number is signal.SIGHUP:
            log.info("SIGHUP is ignored: the configuration is read at start")
            return
        log.info("%s: stopping", number.name)
        if self._phase is Phase.DRAINING:
            self._drain(DRAIN_MS_HURRIED)
        elif self._phase in {Phase.STARTING, Phase.SERVING}:
            if self._broker.state is ServiceState.READY:
                self._advance(PhaseEvent.DRAIN)
                self._notifier.stopping("finishing accepted frames")
                self._drain(self._settings.pipeline.drain_timeout_ms)
            else:
                self._stop_workers()

    def _drain(self, within_ms: int) -> None:
        """Have accepted frames finished. A broker that does not even give up in time is killed: the stop has an end."""
        self._tell(self._broker, Drain(within_ms))
        self._broker.kill_at_s = time.monotonic() + within_ms / 1000 + STOP_TIMEOUT_S

    # ---- what children say

    def _listen_to(self, service: Service) -> None:
        child = service.child
        if child is None:
            return
        try:
            child.channel.flush()
            while (message := child.channel.receive()) is not None:
                self._take(service, message)
        except ChannelClosed:
            # Its end follows; until the pidfd says so, nothing is believed.
            child.is_silent = True
        except ChannelMisused as error:
            log.error("%s said something that is no message: %s", service.name, error)  # noqa: TRY400 - its fault, not ours
            self._kill(service, "broke the protocol")

    def _take(self, service: Service, message: FromChild) -> None:
        if service.is_worker and (service.state is ServiceState.READY or not isinstance(message, Ready)):
            # It decodes hostile bytes: it may speak for itself, not for the daemon.
            self._kill(service, "broke the protocol")
        elif isinstance(message, Ready):
            service.advance(ServiceEvent.READY)
            if service.state is ServiceState.READY:
                service.kill_at_s = None
            self._announce_when_ready()
        elif isinstance(message, Unable):
            # It ends by itself now, and that is no death.
            self._order_stop([service])
            self._fail(message.reason, message.exit_status)
        elif isinstance(message, Kill):
            for other in self._services:
                if other.child is not None and other.incarnation == message.incarnation:
                    self._kill(other, message.reason)
        else:
            self._drained(message)

    def _announce_when_ready(self) -> None:
        if self._phase is not Phase.STARTING:
            return
        if any(service.state is not ServiceState.READY for service in self._services):
            return
        self._advance(PhaseEvent.ALL_READY)
        took_s = time.monotonic() - self._started_at_s
        host, port = self._listener.getsockname()[:2]
        doors = ", ".join(self._settings.frames.endpoints)
        log.info("ready after %.2f s: frames at %s, control plane at http://%s:%s", took_s, doors, host, port)
        self._notifier.ready(f"serving {doors}")
        if self._ready_fd is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._ready_fd, b"R")
            os.close(self._ready_fd)
            self._ready_fd = None

    def _drained(self, message: Drained) -> None:
        if message.unanswered:
            log.warning("%d frames were given up at the end of pipeline.drain_timeout_ms", message.unanswered)
        if self._phase is Phase.DRAINING:
            self._stop_workers()

    # ---- death

    def _exited(self, service: Service) -> None:
        if service.child is None:
            return
        pid = service.child.pid
        was_ordered = service.kill_reason != ""
        service.last_exit = service.child.reap(service.kill_reason)
        service.child = None
        service.kill_at_s = None
        service.kill_reason = ""
        if service.is_worker and self._broker.is_live:
            self._tell(self._broker, WorkerGone(service.incarnation, service.last_exit.reason))
        if service.state is ServiceState.DRAINING:
            service.advance(ServiceEvent.EXIT)
            self._stop_further()
            return
        log.warning("%s (pid %d) ended: %s", service.name, pid, service.last_exit.reason)
        self._plan_restart(service, was_ordered=was_ordered)
        if service is self._broker:
            self._bury_pipeline()

    def _plan_restart(self, service: Service, *, was_ordered: bool = False) -> None:
        """Say when it is started again. An end that we ordered, for a frame's fault, does not count as a death."""
        now_s = time.monotonic()
        is_frames_fault = was_ordered and service.state is ServiceState.READY
        delay_s = DELAY_S_MIN if is_frames_fault else self._policies[service.kind].died(now_s)
        if delay_s is not None:
            service.advance(ServiceEvent.EXIT)
            service.restart_at_s = now_s + delay_s
            return
        service.advance(ServiceEvent.GIVE_UP)
        log.error("%s is given up: %s died too often", service.name, service.kind)
        self._notifier.status(f"{service.name} is given up")
        if self._phase is Phase.STARTING or service is self._broker:
            self._fail(f"{service.name} cannot be kept alive", EXIT_GAVE_UP)

    def _bury_pipeline(self) -> None:
        """End all workers after the broker: what they hold belongs to a ledger that is gone."""
        for service in self._services:
            if service.is_worker and service.state in STOPPABLE_STATES:
                service.advance(ServiceEvent.ORDER_STOP)
                service.restart_at_s = None
                if service.child is not None:
                    self._kill(service, "the broker died")
        if self._phase is Phase.DRAINING:
            self._stop_workers()

    def _kill(self, service: Service, reason: str) -> None:
        if service.child is not None:
            service.kill_reason = reason
            service.child.kill()

    # ---- birth

    def _spawn_pipeline(self) -> None:
        self._spawn(self._broker)
        if not self._broker.is_live:
            return
        for service in self._services:
            if service.is_worker:
                self._spawn(service)

    def _spawn(self, service: Service) -> None:
        self._nursery.name_next(service)
        if service.is_worker:
            # ORDER: the broker must know the number before the worker can say it.
            self._tell(self._broker, WorkerExpected(service.incarnation, service.name, service.stages))
        try:
            self._nursery.spawn(service)
        except OSError as error:
            log.error("%s cannot be started: %s", service.name, error)  # noqa: TRY400 - no traceback for an operator
            if service.is_worker:
                self._tell(self._broker, WorkerGone(service.incarnation, "it was never started"))
            self._plan_restart(service)

    # ---- time

    def _pass_time(self, now_s: float) -> None:
        for service in self._services:
            if service.kill_at_s is not None and now_s >= service.kill_at_s:
                service.kill_at_s = None
                self._kill(service, "not ready in time" if service.state is ServiceState.SPAWNING else "did not end")
            if service.restart_at_s is not None and now_s >= service.restart_at_s:
                self._restart(service)

    def _restart(self, service: Service) -> None:
        if service is not self._broker:
            if not service.is_worker or self._broker.is_live:
                self._spawn(service)
            return
        if any(other.is_live for other in self._services if other.is_worker):
            # The old arena is mapped as long as one of them lives. They have been killed.
            service.restart_at_s = time.monotonic() + AFTER_WORKERS_S
            return
        try:
            self._nursery.begin_epoch()
        except StartupError as error:
            self._fail(error.reason, error.exit_status)
            return
        self._spawn_pipeline()

    # ---- the end

    def _fail(self, reason: str, exit_status: int) -> None:
        """Stop everything; the first reason is the one that is told: at the end, or in the log once it has served."""
        if self._failure is None:
            self._failure = StartupError(reason, exit_status)
            self._has_served = self._phase is not Phase.STARTING
            if self._has_served:
                log.error("%s", reason)
        self._stop_workers()

    def _stop_workers(self) -> None:
        if self._phase not in STOPPING:
            self._advance(PhaseEvent.STOP)
            self._notifier.stopping("stopping")
            self._order_stop([service for service in self._services if service.is_worker])
        self._stop_further()

    def _stop_further(self) -> None:
        """Go on with the stop when those that had to end first have ended."""
        if self._phase is Phase.STOPPING_WORKERS:
            if any(service.is_live for service in self._services if service.is_worker):
                return
            self._advance(PhaseEvent.WORKERS_ENDED)
            self._order_stop([service for service in self._services if not service.is_worker])
        if self._phase is Phase.STOPPING_REST and not any(service.is_live for service in self._services):
            self._advance(PhaseEvent.ALL_ENDED)

    def _order_stop(self, services: list[Service]) -> None:
        for service in services:
            service.restart_at_s = None
            if service.state in STOPPABLE_STATES:
                service.advance(ServiceEvent.ORDER_STOP)
            if service.child is not None:
                service.kill_at_s = time.monotonic() + STOP_TIMEOUT_S
                self._tell(service, Stop())

    def _end_all(self) -> None:
        """Leave nothing running, whatever happened before."""
        for service in self._services:
            if service.child is not None:
                service.child.kill()
                service.child.reap("the supervisor ended")
                service.child = None
        self._telemetry.close()
        self._context.destroy(linger=0)
        self._nursery.close()

    # ---- small things

    def _advance(self, event: PhaseEvent) -> None:
        """Change the daemon's phase. The only place that does."""
        self._phase = advance_phase(self._phase, event)

    def _named(self, name: str) -> Service:
        return next(service for service in self._services if service.name == name)

    def _tell(self, service: Service, message: Drain | Stop | WorkerExpected | WorkerGone) -> None:
        if service.child is None:
            return
        try:
            service.child.channel.send(message)
        except ChannelClosed:
            # It has died, or does not read for so long that it must: its pidfd tells which.
            service.child.kill()

    def _figures(self, sequence: int) -> SupervisorTelemetry:
        own = ServiceFigures(
            name="supervisor",
            kind="supervisor",
            state=_STATE_OF.get(self._phase, ServiceState.DRAINING).value,
            pid=os.getpid(),
            started_at_s=self._started_at_s,
        )
        return SupervisorTelemetry(
            incarnation=0,
            epoch=self._nursery.epoch,
            sequence=sequence,
            at_s=time.monotonic(),
            version=__version__,
            started_at_s=self._started_at_s,
            services=[own, *(service.figures() for service in self._services)],
        )
