"""Hearing: what children say, taken in bounded portions, checked, and passed to whom it concerns."""

import logging
from typing import Final, Protocol

from ipc.causes import Cause
from ipc.channel import UNSENT_MAX, ChannelClosed, ChannelMisused
from ipc.messages import (
    Beat,
    Drained,
    Examine,
    Examined,
    FromChild,
    Kill,
    Poisoned,
    Ready,
    Retired,
    Unable,
    Worn,
)
from omnishotd.supervisor.clock import AwakeClock
from omnishotd.supervisor.examinations import Examinations
from omnishotd.supervisor.household import Household
from omnishotd.supervisor.lifecycle import ServiceEvent, ServiceState
from omnishotd.supervisor.pulse import Pulse
from omnishotd.supervisor.rights import Speaker, may_say
from omnishotd.supervisor.service import Member
from omnishotd.supervisor.succession import Succession

log = logging.getLogger(__name__)

MESSAGES_PER_TURN_MAX: Final = 64
"""Taken from one child before the others, deaths and the time get their turn."""
STRAYS_MAX: Final = 16
"""Answers to questions that nobody asked. One may be late; a child that sends more writes the log full."""


class Daemon(Protocol):
    """Who is told what concerns the daemon as a whole."""

    def heard_ready(self) -> None:
        """A service serves."""

    def heard_unable(self, member: Member, message: Unable) -> None:
        """A child cannot start."""

    def heard_drained(self, message: Drained) -> None:
        """The broker has answered every accepted frame."""


class Hearing:
    """Listens to all children."""

    def __init__(
        self,
        household: Household,
        succession: Succession,
        examinations: Examinations,
        pulse: Pulse,
        clock: AwakeClock,
        daemon: Daemon,
    ) -> None:
        self._household = household
        self._succession = succession
        self._examinations = examinations
        self._pulse = pulse
        self._clock = clock
        self._daemon = daemon

    def listen(self, member: Member) -> None:
        """Take what a child has said, and send what it had no room for."""
        try:
            # ORDER: a child that has ended cannot be sent anything, and may have said why.
            self._hear(member, MESSAGES_PER_TURN_MAX)
            member.child.channel.flush()
        except ChannelClosed:
            # Its end follows; until the pidfd says so, nothing is believed.
            member.child.is_silent = True
        except ChannelMisused as error:
            self._distrust(member, f"what is no message: {error}")

    def hear_out(self, member: Member) -> None:
        """Take all that a child had said when it ended: it may have said why, or on whose behalf."""
        try:
            self._hear(member, UNSENT_MAX)
        except ChannelClosed:
            member.child.is_silent = True
        except ChannelMisused as error:
            self._distrust(member, f"what is no message: {error}")

    def _hear(self, member: Member, count_max: int) -> None:
        """Take so many messages at most. Raises `ChannelClosed`, `ChannelMisused`."""
        for _ in range(count_max):
            message = None if member.child.is_silent else member.child.channel.receive()
            if message is None:
                return
            self._take(member, message)

    def _take(self, member: Member, message: FromChild) -> None:
        child = member.child
        if not may_say(Speaker(member.service.kind, child.is_ready, child.worn is not None), message):
            self._distrust(member, f"{type(message).__name__}, which is not its to say")
        elif isinstance(message, Beat):
            self._pulse.beat(child.incarnation, self._clock.now_s)
        elif isinstance(message, Ready):
            self._ready(member)
        elif isinstance(message, Unable):
            self._daemon.heard_unable(member, message)
        elif isinstance(message, Worn):
            self._succession.worn(member, message.reason)
        elif isinstance(message, Retired):
            self._succession.retired(message.incarnation)
        elif isinstance(message, Poisoned):
            self._household.forgive(message.incarnations)
        elif isinstance(message, Kill):
            other = self._household.member(message.incarnation)
            if other is not None:
                other.child.kill(message.reason, message.cause)
        elif isinstance(message, Drained):
            self._daemon.heard_drained(message)
        elif isinstance(message, Examine):
            self._examinations.ask(message)
        else:
            self._answered(member, message)

    def _ready(self, member: Member) -> None:
        service, child = member.service, member.child
        child.ready_at_s = self._clock.now_s
        if child is service.successor:
            if service.state is not ServiceState.READY:
                return
            self._succession.take_over(service)
        else:
            service.advance(ServiceEvent.READY)
        if service.state is ServiceState.READY:
            child.kill_at_s = None
            self._household.report.became_ready(service)
            if service.restarts:
                log.info("%s is ready again", service.name)
            if not service.is_worker:
                self._pulse.begin(child.incarnation, self._clock.now_s)
        self._daemon.heard_ready()

    def _answered(self, member: Member, answer: Examined) -> None:
        if self._examinations.answered(member, answer):
            return
        log.warning("%s answered what it was not asked", member.service.name)
        member.child.strays += 1
        if member.child.strays > STRAYS_MAX:
            self._distrust(member, "answers that nobody asked for")

    def _distrust(self, member: Member, what: str) -> None:
        """Have a child killed that does not keep to the protocol: nothing more of it is believed."""
        log.error("%s (pid %d) said %s", member.service.name, member.child.pid, what)
        member.child.is_silent = True
        member.child.kill("broke the protocol", Cause.PROTOCOL)
