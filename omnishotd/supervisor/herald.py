"""Herald: tells the service manager how the daemon is, that its loop turns, and when to be patient."""

import os
from collections.abc import Sequence
from typing import Final

from omnishotd.supervisor.lifecycle import ServiceState
from omnishotd.supervisor.notify import Notifier
from omnishotd.supervisor.phase import Phase
from omnishotd.supervisor.roster import BROKER
from omnishotd.supervisor.service import Service
from omnishotd.supervisor.watchdog import Watchdog

PATIENCE_S: Final = 10.0
"""What a start or a stop asks for, once a second. A loop that stands still asks for nothing, and is ended."""
PATIENCE_INTERVAL_S: Final = 1.0


class Herald:
    """Speaks from the supervisor's loop only. `doors` are the addresses of the producers' door."""

    def __init__(self, notifier: Notifier, watchdog: Watchdog, doors: Sequence[str]) -> None:
        self._notifier = notifier
        self._watchdog = watchdog
        self._doors = ", ".join(doors)
        self._told = ""
        self._note = ""
        self._is_reloading = False
        self._patient_at_s = 0.0

    @classmethod
    def from_environment(cls, doors: Sequence[str]) -> "Herald":
        """Speak to whoever started this process, if it wants to hear."""
        return cls(Notifier.from_environment(), Watchdog.from_environment(os.environ, os.getpid()), doors)

    def offer(self, now_s: float, phase: Phase, services: Sequence[Service]) -> None:
        """Tell what is due, and the status where it is another; to be called in every turn of the loop."""
        if self._watchdog.offer(now_s):
            self._notifier.alive()
        if phase is not Phase.SERVING and now_s >= self._patient_at_s:
            self._patient_at_s = now_s + PATIENCE_INTERVAL_S
            self._notifier.patience(PATIENCE_S)
        status = status_of(phase, services, self._doors) + self._note
        if status != self._told and not self._is_reloading:
            self._told = status
            self._notifier.status(status)

    def due_in_ms(self, now_s: float) -> int | None:
        """How long the loop may sleep; None: as long as it likes."""
        return self._watchdog.due_in_ms(now_s)

    def ready(self, services: Sequence[Service]) -> None:
        """Say that all serve."""
        self._told = status_of(Phase.SERVING, services, self._doors)
        self._notifier.ready(self._told)

    def stopping(self, phase: Phase) -> None:
        """Say that the end has begun."""
        self._told = status_of(phase, (), self._doors)
        self._notifier.stopping(self._told)

    def reloading(self) -> None:
        """Say that the configuration is read again."""
        self._is_reloading = True
        self._notifier.reloading("reading the configuration again")

    def reloaded(self, phase: Phase, services: Sequence[Service], note: str) -> None:
        """Say that the configuration was read; `note` stays in the status until the next time."""
        self._is_reloading = False
        self._note = f"; {note}" if note else ""
        self._told = status_of(phase, services, self._doors) + self._note
        if phase is Phase.SERVING:
            self._notifier.ready(self._told)
        else:
            self._notifier.status(self._told)


def status_of(phase: Phase, services: Sequence[Service], doors: str) -> str:
    """Say how the daemon is, in one line."""
    if phase is Phase.STARTING:
        return f"starting, {_count_ready(services)} of {len(services)} services ready"
    if phase is Phase.DRAINING:
        return "finishing accepted frames"
    if phase is not Phase.SERVING:
        return "stopping"
    workers = [service for service in services if service.is_worker]
    troubles = [trouble for service in services if (trouble := _trouble_of(service))]
    broker_serves = any(service.kind == BROKER and service.state is ServiceState.READY for service in services)
    serving = f"serving {doors}" if broker_serves else "not serving"
    return ", ".join([serving, f"{_count_ready(workers)} of {len(workers)} workers ready", *troubles])


def _trouble_of(service: Service) -> str:
    """Say what is wrong with a service; of a worker that is started again, the count says it."""
    if service.state is ServiceState.FAILED:
        return f"{service.name} is given up"
    return "" if service.is_worker or service.state is ServiceState.READY else f"{service.name} is started again"


def _count_ready(services: Sequence[Service]) -> int:
    return sum(service.state is ServiceState.READY for service in services)
