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

from ipc.causes import Cause
from ipc.channel import ChannelClosed, ChannelMisused
from ipc.events import EventKind
from ipc.messages import (
    Drain,
    Drained,
    Examine,
    Examined,
    FromChild,
    Kill,
    Ready,
    Stop,
    Unable,
)
from ipc.settings import Settings
from omnishotd.supervisor.examinations import Examinations
from omnishotd.supervisor.household import Departure, Household
from omnishotd.supervisor.instance import Instance, StartupError
from omnishotd.supervisor.lifecycle import STOPPABLE_STATES, ServiceEvent, ServiceState
from omnishotd.supervisor.notify import Notifier
from omnishotd.supervisor.nursery import Nursery
from omnishotd.supervisor.phase import STOPPING, Phase, PhaseEvent, advance_phase
from omnishotd.supervisor.roster import BROKER, CONTROL
from omnishotd.supervisor.service import Service
from omnishotd.supervisor.signals import SignalPipe
from omnishotd.supervisor.watch import watch

log = logging.getLogger(__name__)

STOP_TIMEOUT_S: Final = 2.0
"""What a child gets to end in order, once it has nothing left to do."""
DRAIN_MS_HURRIED: Final = 500
"""What is left for draining after a second signal."""
EXIT_GAVE_UP: Final = 1


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
        self._nursery = Nursery(settings, instance, listener, json_logs=json_logs)
        self._household = Household(settings, self._nursery, instance.endpoint("telemetry.sock"), self._given_up)
        self._examinations = Examinations(self._household)
        self._signals = SignalPipe()

    def run(self) -> int:
        """Start everything, keep it alive, and stop it when told to. Raises `StartupError` if it never served."""
        try:
            self._household.start()
            while self._phase is not Phase.ENDED:
                self._turn()
        finally:
            self._household.close()
        if self._failure is None:
            return 0
        if not self._has_served:
            raise self._failure
        return self._failure.exit_status

    # ---- one turn

    def _turn(self) -> None:
        happenings = watch(self._household.services, self._signals, self._wait_ms())
        for number in happenings.signals:
            self._signalled(number)
        # What a child said before it ended comes first: it may say why.
        for service in happenings.talking:
            self._listen_to(service)
        for service in happenings.ended:
            self._exited(service)
        self._pass_time(time.monotonic())
        self._household.report.offer(self._phase, self._nursery.epoch)

    def _wait_ms(self) -> int:
        now_s = time.monotonic()
        wait_ms = self._household.report.due_in_ms(now_s)
        return min([wait_ms, *(max(0, int((at_s - now_s) * 1000) + 1) for at_s in self._household.due_times_s())])

    def _signalled(self, number: signal.Signals) -> None:
        if number is signal.SIGHUP:
            log.info("SIGHUP is ignored: the configuration is read at start")
            return
        log.info("%s: stopping", number.name)
        if self._phase is Phase.DRAINING:
            self._drain(DRAIN_MS_HURRIED)
        elif self._phase in {Phase.STARTING, Phase.SERVING}:
            if self._household.broker.state is ServiceState.READY:
                self._advance(PhaseEvent.DRAIN)
                self._household.report.happened(EventKind.DAEMON_DRAINING, "supervisor", number.name)
                self._notifier.stopping("finishing accepted frames")
                self._drain(self._settings.pipeline.drain_timeout_ms)
            else:
                self._stop_workers()

    def _drain(self, within_ms: int) -> None:
        """Have accepted frames finished. A broker that does not even give up in time is killed: the stop has an end."""
        self._household.tell(self._household.broker, Drain(within_ms))
        self._household.broker.kill_at_s = time.monotonic() + within_ms / 1000 + STOP_TIMEOUT_S

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
            self._household.kill(service, "broke the protocol", Cause.PROTOCOL)

    def _take(self, service: Service, message: FromChild) -> None:
        if not self._may_say(service, message):
            self._household.kill(service, "broke the protocol", Cause.PROTOCOL)
        elif isinstance(message, Ready):
            service.advance(ServiceEvent.READY)
            if service.state is ServiceState.READY:
                service.kill_at_s = None
                self._household.report.became_ready(service)
                if service.restarts:
                    log.info("%s is ready again", service.name)
            self._announce_when_ready()
        elif isinstance(message, Unable):
            # It ends by itself now, and that is no death.
            self._order_stop([service])
            self._fail(message.reason, message.exit_status)
        elif isinstance(message, Kill):
            for other in self._household.services:
                if other.child is not None and other.incarnation == message.incarnation:
                    self._household.kill(other, message.reason, message.cause)
        elif isinstance(message, Drained):
            self._drained(message)
        elif isinstance(message, Examine):
            self._examinations.ask(message)
        elif not self._examinations.answered(service, message):
            log.warning("%s answered what it was not asked", service.name)

    def _may_say(self, service: Service, message: FromChild) -> bool:
        """Tell whether a message is this service's to send."""
        if isinstance(message, Examined):
            return service.state in {ServiceState.READY, ServiceState.DRAINING}
        if isinstance(message, Examine):
            return service.kind == CONTROL
        # A worker decodes hostile bytes: it may speak for itself, not for the daemon.
        return not service.is_worker or (isinstance(message, Ready) and service.state is not ServiceState.READY)

    def _announce_when_ready(self) -> None:
        if self._phase is not Phase.STARTING:
            return
        if any(service.state is not ServiceState.READY for service in self._household.services):
            return
        self._advance(PhaseEvent.ALL_READY)
        took_s = time.monotonic() - self._household.report.started_at_s
        host, port = self._listener.getsockname()[:2]
        doors = ", ".join(self._settings.frames.endpoints)
        log.info("ready after %.2f s: frames at %s, control plane at http://%s:%s", took_s, doors, host, port)
        self._notifier.ready(f"serving {doors}")
        self._household.report.happened(EventKind.DAEMON_READY, "supervisor", f"after {took_s:.2f} s")
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
        departure = self._household.exited(service)
        self._examinations.gone(service)
        if departure is Departure.ORDERED:
            self._stop_further()
        elif service is self._household.broker:
            self._household.bury_pipeline()
            if self._phase is Phase.DRAINING:
                self._stop_workers()

    def _given_up(self, service: Service) -> None:
        self._notifier.status(f"{service.name} is given up")
        if self._phase is Phase.STARTING or service.kind == BROKER:
            self._fail(f"{service.name} cannot be kept alive", EXIT_GAVE_UP)

    # ---- time

    def _pass_time(self, now_s: float) -> None:
        self._examinations.pass_time(now_s)
        for service in self._household.services:
            if service.kill_at_s is not None and now_s >= service.kill_at_s:
                service.kill_at_s = None
                if service.state is ServiceState.SPAWNING:
                    self._household.kill(service, "not ready in time", Cause.NOT_READY)
                else:
                    self._household.kill(service, "did not end", Cause.STOPPED)
            if service.restart_at_s is not None and now_s >= service.restart_at_s:
                self._restart(service)

    def _restart(self, service: Service) -> None:
        try:
            self._household.restart(service)
        except StartupError as error:
            self._fail(error.reason, error.exit_status)

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
            self._order_stop([service for service in self._household.services if service.is_worker])
        self._stop_further()

    def _stop_further(self) -> None:
        """Go on with the stop when those that had to end first have ended."""
        if self._phase is Phase.STOPPING_WORKERS:
            if any(service.is_live for service in self._household.services if service.is_worker):
                return
            self._advance(PhaseEvent.WORKERS_ENDED)
            self._order_stop([service for service in self._household.services if not service.is_worker])
        if self._phase is Phase.STOPPING_REST and not any(service.is_live for service in self._household.services):
            self._advance(PhaseEvent.ALL_ENDED)

    def _order_stop(self, services: list[Service]) -> None:
        for service in services:
            service.restart_at_s = None
            if service.state in STOPPABLE_STATES:
                service.advance(ServiceEvent.ORDER_STOP)
            if service.child is not None:
                service.kill_at_s = time.monotonic() + STOP_TIMEOUT_S
                self._household.tell(service, Stop())

    def _advance(self, event: PhaseEvent) -> None:
        """Change the daemon's phase. The only place that does."""
        self._phase = advance_phase(self._phase, event)
