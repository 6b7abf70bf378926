"""Watch: waits until something happens to the daemon, and says what."""

import select
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from omnishotd.supervisor.service import Member, Service
from omnishotd.supervisor.signals import SignalPipe


@dataclass(frozen=True, slots=True)
class Happenings:
    """What was seen in one look."""

    signals: list[signal.Signals]
    talking: list[Member]
    """Their channels can be read, or written again."""
    ended: list[Member]
    """Their pidfds say that the process is no more."""


def watch(services: Sequence[Service], signals: SignalPipe, wait_ms: int) -> Happenings:
    """Wait for at most `wait_ms`."""
    poller = select.poll()
    poller.register(signals.fileno(), select.POLLIN)
    talkers: dict[int, Member] = {}
    mortals: dict[int, Member] = {}
    for member in (Member(service, child) for service in services for child in service.processes):
        child = member.child
        mortals[child.pidfd] = member
        poller.register(child.pidfd, select.POLLIN)
        if not child.is_silent:
            talkers[child.channel.fileno()] = member
            flags = select.POLLIN | (select.POLLOUT if child.channel.wants_flush else 0)
            poller.register(child.channel.fileno(), flags)
    ready = [descriptor for descriptor, _ in poller.poll(wait_ms)]
    return Happenings(
        signals.take(),
        [talkers[descriptor] for descriptor in ready if descriptor in talkers],
        [mortals[descriptor] for descriptor in ready if descriptor in mortals],
    )
