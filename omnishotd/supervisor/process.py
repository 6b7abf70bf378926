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
from collections.abc import Sequence
from typing import Final

from ipc.causes import Cause
from ipc.events import EventKind
from ipc.messages import Drain, Drained, Unable
from ipc.settings import Settings
from omnishotd.supervisor.changes import Changes
from omnishotd.supervisor.clock import AwakeClock
from omnishotd.supervisor.examinations import Examinations
from omnishotd.supervisor.hearing import Hearing
from omnishotd.supervisor.herald import Herald
from omnishotd.supervisor.household import STOP_TIMEOUT_S, Departure, Household
from omnishotd.supervisor.instance import Instance, StartupError
from omnishotd.supervisor.lifecycle import STOPPABLE_STATES, ServiceEvent, ServiceState
from omnishotd.supervisor.nursery import Nursery
from omnishotd.supervisor.phase import STOPPING, Phase, PhaseEvent, advance_phase
from omnishotd.supervisor.pulse import Pulse
from omnishotd.supervisor.reload import Reload
from omnishotd.supervisor.roster import BROKER
from omnishotd.supervisor.service import Member, Service
from omnishotd.supervisor.signals import SignalPipe
from omnishotd.supervisor.succession import Succession
from omnishotd.supervisor.watch import watch

log = logging.getLogger(__name__)

DRAIN_MS_HURRIED: Final = 500
"""What is left for draining after a second signal."""
LOST_S_TOLD: Final = 1.0
"""A stop that is worth a line in the log; less happens on a busy host."""
EXIT_GAVE_UP: Final = 1


class Supervisor:
    """One daemon. `run` returns its exit status."""

    def __init__(
        self,
        settings: Settings,
        instance: Instance,
        listener: socket.socket,
        herald: Herald,
        *,
        json_logs: bool,
        ready_fd: int | None,
        reader_arguments: Sequence[str] = (),
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._herald = herald
        self._ready_fd = ready_fd
        self._phase = Phase.STARTING
        self._failure: StartupError | None = None
        self._has_served = False
        self._clock = AwakeClock()
        self._nursery = Nursery(settings, instance, listener, json_logs=json_logs)
        telemetry_endpoint = instance.endpoint("telemetry.sock")
        self._household = Household(self._nursery, telemetry_endpoint, self._clock, self._given_up)
        self._succession = Succession(self._household, settings, self._clock)
        self._examinations = Examinations(self._household)
        self._pulse = Pulse(settings.supervisor.hang_timeout_ms / 1000)
        self._hearing = Hearing(
            self._household, self._succession, self._examinations, self._pulse, self._clock, daemon=self
        )
        self._reload = Reload(reader_arguments, settings, herald.reloading, self._reloaded)
        self._signals = SignalPipe()

    def run(self) -> int:
        """Start everything, keep it alive, and stop it when told to. Raises `StartupError` if it never served."""
        try:
            self._household.start()
            while self._phase is not Phase.ENDED:
                self._turn()
        finally:
            self._reload.close()
            self._household.close()
        if self._failure is None:
            return 0
        if not self._has_served:
            raise self._failure
        return self._failure.exit_status

    # ---- one turn

    def _turn(self) -> None:
        wait_ms = self._wait_ms()
        happenings = watch(self._household.services, self._signals, wait_ms)
        lost_s = self._clock.turn(wait_ms / 1000)
        if lost_s:
            self._pulse.resume(self._clock.now_s)
        if lost_s >= LOST_S_TOLD:
            log.warning("the supervisor could not run for %.1f s: its deadlines are moved by that", lost_s)
        for number in happenings.signals:
            self._signalled(number)
        # What a child said before it ended comes first: it may say why.
        for member in happenings.talking:
            self._hearing.listen(member)
        for member in happenings.ended:
            self._exited(member)
        self._pass_time()
        self._household.report.offer(self._phase, self._nursery.epoch)
        # In real time: so the service manager counts.
        self._herald.offer(time.monotonic(), self._phase, self._household.services)

    def _wait_ms(self) -> int:
        """How long the loop may sleep. Between turns the clock stands, so what a turn takes comes on top: a little."""
        due_s = [*self._household.due_times_s(), self._pulse.due_s()]
        if self._phase is Phase.SERVING:
            due_s.append(self._succession.due_s())
        waits_ms = [max(0, int((at_s - self._clock.now_s) * 1000) + 1) for at_s in due_s if at_s is not None]
        now_s = time.monotonic()
        dues_ms = [self._household.report.due_in_ms(now_s), self._herald.due_in_ms(now_s), self._reload.due_in_ms()]
        return min([*waits_ms, *(due_ms for due_ms in dues_ms if due_ms is not None)])

    def _signalled(self, number: signal.Signals) -> None:
        if number is signal.SIGHUP:
            if self._phase in {Phase.STARTING, Phase.SERVING}:
                self._reload.begin()
            return
        log.info("%s: stopping", number.name)
        if self._phase is Phase.DRAINING:
            self._drain(DRAIN_MS_HURRIED)
        elif self._phase in {Phase.STARTING, Phase.SERVING}:
            if self._household.broker.state is ServiceState.READY:
                self._advance(PhaseEvent.DRAIN)
                self._reload.forget()
                self._household.report.happened(EventKind.DAEMON_DRAINING, "supervisor", number.name)
                self._herald.stopping(self._phase)
                self._drain(self._settings.pipeline.drain_timeout_ms)
            else:
                self._stop_workers()

    def _drain(self, within_ms: int) -> None:
        """Have accepted frames finished. A broker that does not even give up in time is killed: the stop has an end."""
        broker = self._household.broker
        self._household.tell(broker, Drain(within_ms))
        if broker.child is not None:
            broker.child.kill_at_s = self._clock.now_s + within_ms / 1000 + STOP_TIMEOUT_S

    def _reloaded(self, changes: Changes | None, note: str) -> None:
        if changes is not None:
            # Also where no key has changed: the keys of those who may connect lie in files of their own.
            self._household.reconfigure(changes.settings)
            detail = f"changed: {', '.join(changes.applied) or 'nothing'}"
            self._household.report.happened(EventKind.RELOADED, "supervisor", detail)
        # ORDER: told after the broker was, so that whoever waits for the reload meets the new presets.
        self._herald.reloaded(self._phase, self._household.services, note)

    # ---- what children say

    def heard_ready(self) -> None:
        """Say that the daemon serves, when all services do for the first time."""
        if self._phase is not Phase.STARTING:
            return
        if any(service.state is not ServiceState.READY for service in self._household.services):
            return
        self._advance(PhaseEvent.ALL_READY)
        took_s = time.monotonic() - self._household.report.started_at_s
        host, port = self._listener.getsockname()[:2]
        doors = ", ".join(self._settings.frames.endpoints)
        log.info("ready after %.2f s: frames at %s, control plane at http://%s:%s", took_s, doors, host, port)
        self._herald.ready(self._household.services)
        self._household.report.happened(EventKind.DAEMON_READY, "supervisor", f"after {took_s:.2f} s")
        if self._ready_fd is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._ready_fd, b"R")
            os.close(self._ready_fd)
            self._ready_fd = None

    def heard_unable(self, member: Member, message: Unable) -> None:
        """End where a child cannot start: trying again would not help.

        None but the broker ends a daemon that serves: of the others it is one death more, and counted.
        """
        if member.service.kind != BROKER and self._phase is not Phase.STARTING:
            log.error("%s: %s", member.service.name, message.reason)
            return
        # It ends by itself now, and that is no death.
        self._order_stop([member.service])
        self._fail(message.reason, message.exit_status)

    def heard_drained(self, message: Drained) -> None:
        """End the rest: every accepted frame has its answer."""
        if message.unanswered:
            log.warning("%d frames were given up at the end of pipeline.drain_timeout_ms", message.unanswered)
        if self._phase is Phase.DRAINING:
            self._stop_workers()

    # ---- death

    def _exited(self, member: Member) -> None:
        self._hearing.hear_out(member)
        departure = self._household.exited(member)
        self._pulse.end(member.child.incarnation)
        self._examinations.gone(member)
        if departure is Departure.UNEXPECTED and member.service is self._household.broker:
            self._household.bury_pipeline()
            if self._phase is Phase.DRAINING:
                self._stop_workers()
        if self._phase in STOPPING:
            # One that died a moment before it was told to end is not started again.
            self._order_stop([member.service])
            self._stop_further()

    def _given_up(self, service: Service) -> None:
        if self._phase is Phase.STARTING or service.kind == BROKER:
            self._fail(f"{service.name} cannot be kept alive", EXIT_GAVE_UP)

    # ---- time

    def _pass_time(self) -> None:
        now_s = self._clock.now_s
        self._examinations.pass_time(time.monotonic())
        self._reload.offer(time.monotonic())
        for silence in self._pulse.silences(now_s):
            member = self._household.member(silence.incarnation)
            # One that was told to end has a deadline for that.
            if member is not None and member.child.stop_cause is None:
                log.error("%s (pid %d) hangs: silent for %.1f s", member.service.name, member.child.pid, silence.for_s)
                member.child.kill(f"hung: silent for {silence.for_s:.1f} s", Cause.HUNG)
        self._household.kill_overdue()
        if self._phase not in STOPPING:
            self._household.restart_due()
        if self._phase is Phase.SERVING:
            self._succession.pass_time()

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
        self._reload.forget()
        if self._phase not in STOPPING:
            self._advance(PhaseEvent.STOP)
            self._herald.stopping(self._phase)
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
            for child in service.processes:
                self._household.order_stop(child, Cause.STOPPED)

    def _advance(self, event: PhaseEvent) -> None:
        """Change the daemon's phase. The only place that does."""
        self._phase = advance_phase(self._phase, event)
