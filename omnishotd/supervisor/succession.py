"""Succession: a worn worker is replaced without a gap.

It works on while its successor starts. When that is ready it takes charge; the broker gives the old one nothing more,
says when it holds nothing, and only then is it told to end. One worker of a pool at a time.
"""

import logging
from collections.abc import Sequence
from typing import Final

from ipc.causes import Cause
from ipc.messages import Retire
from ipc.settings import Settings
from omnishotd.supervisor.clock import AwakeClock
from omnishotd.supervisor.household import Household, NotStarted
from omnishotd.supervisor.lifecycle import ServiceState
from omnishotd.supervisor.service import Member, Service

log = logging.getLogger(__name__)

RETIRE_TIMEOUT_FACTOR: Final = 10
"""Of the time limit of one stage: a worker that holds more than this many tasks is not given so many."""


def next_in_turn(services: Sequence[Service]) -> list[Service]:
    """List the services that come next to be given a successor: of each pool the one that may be given it first.

    A pool in which somebody is being replaced has no next.
    """
    busy = {service.kind for service in services if service.successor is not None or service.retiring is not None}
    found: dict[str, Service] = {}
    for service in services:
        if service.succeed_at_s is None or service.state is not ServiceState.READY or service.kind in busy:
            continue
        first = found.get(service.kind)
        if first is None or first.succeed_at_s is None or service.succeed_at_s < first.succeed_at_s:
            found[service.kind] = service
    return list(found.values())


class Succession:
    """Replaces worn workers."""

    def __init__(self, household: Household, settings: Settings, clock: AwakeClock) -> None:
        self._household = household
        self._retire_timeout_s = RETIRE_TIMEOUT_FACTOR * settings.pipeline.stage_timeout_ms / 1000
        self._clock = clock

    def worn(self, member: Member, reason: str) -> None:
        """Note that a worker asks to be replaced."""
        member.child.worn = reason
        member.service.succeed_at_s = self._clock.now_s
        log.info("%s (pid %d) is to be replaced: %s", member.service.name, member.child.pid, reason)

    def due_s(self) -> float | None:
        """When somebody is to be given a successor; None if nobody waits for one."""
        return min((at_s for service in self._next() if (at_s := service.succeed_at_s) is not None), default=None)

    def pass_time(self) -> None:
        """Start the successors whose time has come."""
        for service in self._next():
            if service.succeed_at_s is not None and self._clock.now_s >= service.succeed_at_s:
                self._begin(service)

    def take_over(self, service: Service) -> None:
        """Put the successor, which is ready, in charge."""
        successor, old = service.successor, service.child
        if successor is None or old is None:
            return
        log.info("%s: pid %d takes over from %d", service.name, successor.pid, old.pid)
        old.kill_at_s = self._clock.now_s + self._retire_timeout_s
        service.successor, service.retiring = None, old
        service.died_of = Cause.RECYCLED
        service.take_charge(successor)
        self._household.tell(self._household.broker, Retire(old.incarnation))

    def retired(self, incarnation: int) -> None:
        """Have a process end that holds nothing any more."""
        member = self._household.member(incarnation)
        if member is not None and member.child is member.service.retiring:
            self._household.order_stop(member.child, Cause.RECYCLED)

    def _next(self) -> list[Service]:
        return next_in_turn(self._household.workers)

    def _begin(self, service: Service) -> None:
        try:
            service.successor = self._household.bear(service)
            service.succeed_at_s = None
        except NotStarted as failure:
            service.succeed_at_s = self._clock.now_s + failure.retry_in_s
