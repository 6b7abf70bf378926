"""A supervisor that is not run, over processes that only wait: a test says what they say, and moves the time."""

import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ipc.channel import channel_pair
from ipc.messages import Beat, FromChild, Ready, Start, ToChild
from omnishotd.supervisor.children import ChildProcess
from omnishotd.supervisor.herald import Herald
from omnishotd.supervisor.instance import Instance, listen
from omnishotd.supervisor.lifecycle import ServiceState
from omnishotd.supervisor.notify import Notifier
from omnishotd.supervisor.phase import Phase
from omnishotd.supervisor.process import Supervisor
from omnishotd.supervisor.restarts import RestartPolicy
from omnishotd.supervisor.service import Member, Service
from omnishotd.supervisor.signals import HANDLED
from omnishotd.supervisor.watchdog import Watchdog
from tests.control.support import make_settings

WITHIN_S = 10.0


class Stage:
    """A supervisor whose services are ready, and their voices."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.voices: dict[int, socket.socket] = {}
        """The children's ends, by incarnation."""
        self.refusal: OSError | None = None
        """Raised instead of starting a process, if set."""
        self.asked: list[str] = []
        """Names of the services for which a process was asked for."""
        self.given: dict[int, set[int]] = {}
        """The descriptors that each process was given, by incarnation."""

    def spawn(self, module: str, start: Start, descriptors: Sequence[int]) -> ChildProcess:
        """Start a process that waits, as `children.spawn` starts one that works."""
        assert module
        self.given[start.incarnation] = {descriptor for descriptor in descriptors if os.fstat(descriptor)}
        self.asked.append(start.service)
        if self.refusal is not None:
            raise self.refusal
        process = subprocess.Popen(["/bin/sleep", "1000"])
        ours, self.voices[start.incarnation] = channel_pair()
        return ChildProcess(process, os.pidfd_open(process.pid), ours, start.incarnation)

    def begin(self) -> None:
        """Start everything, and let everything become ready."""
        self.supervisor._household.start()
        for service in self.supervisor._household.services:
            self.say(service.name, Ready())
        for service in self.supervisor._household.workers:
            self.drain_voice(service.name)
        self.drain_voice("broker")
        self.asked.clear()

    def service(self, name: str) -> Service:
        return self.supervisor._household.named(name)

    def state(self, name: str) -> ServiceState:
        return self.service(name).state

    def phase(self) -> Phase:
        return self.supervisor._phase

    def child(self, name: str) -> ChildProcess:
        """The process in charge."""
        child = self.service(name).child
        assert child is not None
        return child

    def successor(self, name: str) -> ChildProcess:
        child = self.service(name).successor
        assert child is not None
        return child

    def policy(self, name: str) -> RestartPolicy:
        return self.supervisor._household.policies[self.service(name).kind]

    def deaths(self, name: str) -> int:
        """Deaths of its pool that count."""
        return self.policy(name).deaths_lately(self.supervisor._clock.now_s)

    def hear(self, name: str, child: ChildProcess | None = None) -> ToChild | None:
        """What a service's process, the one in charge if no other is named, was told next, or None."""
        voice = self.voices[(child or self.child(name)).incarnation]
        if not select.select([voice], [], [], 0)[0]:
            return None
        message: ToChild = msgspec.msgpack.decode(voice.recv(1 << 17), type=ToChild)
        return message

    def drain_voice(self, name: str) -> list[ToChild]:
        """All that a service was told."""
        said = []
        while (message := self.hear(name)) is not None:
            said.append(message)
        return said

    def say(self, name: str, said: FromChild | bytes, child: ChildProcess | None = None) -> None:
        """Have a service's process say something, and the supervisor hear it."""
        speaker = child or self.child(name)
        self.voices[speaker.incarnation].send(said if isinstance(said, bytes) else msgspec.msgpack.encode(said))
        self.listen(name, speaker)

    def become_ready(self, name: str) -> None:
        """Have the process of a service that is started become ready."""
        self.say(name, Ready(), child=self.service(name).successor)

    def listen(self, name: str, child: ChildProcess) -> None:
        """Have the supervisor take what lies in a process's channel."""
        self.supervisor._hearing.listen(Member(self.service(name), child))

    def end(self, name: str, child: ChildProcess | None = None, *, status: int | None = None) -> Service:
        """Have a service's process ended, killed where no exit status is given, and the supervisor see it."""
        service = self.service(name)
        ending = child or self.child(name)
        if status is None:
            signal.pidfd_send_signal(ending.pidfd, signal.SIGKILL)
        else:
            # A process that only waits ends by a signal: its status is what the test says.
            signal.pidfd_send_signal(ending.pidfd, signal.SIGTERM)
            ending.process.wait()
            ending.process.returncode = status
        self.see_end(name, ending)
        return service

    def see_end(self, name: str, child: ChildProcess) -> None:
        """Have the supervisor see the end of a process that was killed."""
        assert select.select([child.pidfd], [], [], WITHIN_S)[0]
        self.supervisor._exited(Member(self.service(name), child))

    def passes(self, seconds: float) -> None:
        """Let time pass, and the supervisor do what is due."""
        self.supervisor._clock.now_s += seconds
        self.supervisor._pass_time()

    def lives(self, seconds: float) -> None:
        """Let time pass in which broker and control plane, where they have a process, say that they turn."""
        left_s = seconds
        while left_s > 0:
            self.passes(min(left_s, 1.0))
            left_s -= 1.0
            for name in ("broker", "control"):
                if self.service(name).child is not None:
                    self.say(name, Beat())

    def killed(self) -> list[str]:
        """Name the services of which a process was killed, waiting for those that must have been."""
        killed = []
        for member in self.supervisor._household.members:
            if member.child.kill_reason:
                assert select.select([member.child.pidfd], [], [], WITHIN_S)[0]
                killed.append(member.service.name)
            else:
                assert select.select([member.child.pidfd], [], [], 0)[0] == []
        return killed


@contextmanager
def set_stage(directory: Path, **supervision: float) -> Iterator[Stage]:
    """Make a stage in a runtime directory, with settings of the section `supervisor` as the test wants them."""
    settings = msgspec.structs.replace(make_settings(), runtime_directory=str(directory))
    settings = msgspec.structs.replace(settings, supervisor=msgspec.structs.replace(settings.supervisor, **supervision))
    handlers = {number: signal.getsignal(number) for number in HANDLED}
    instance = Instance(settings)
    with listen("127.0.0.1", 0) as listener:
        herald = Herald(Notifier(None), Watchdog(None), [])
        supervisor = Supervisor(settings, instance, listener, herald, json_logs=False, ready_fd=None)
        made = Stage(supervisor)
        try:
            yield made
        finally:
            supervisor._household.close()
            for voice in made.voices.values():
                voice.close()
            instance.close()
            signal.set_wakeup_fd(-1)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            os.close(supervisor._signals._reader)
            os.close(supervisor._signals._writer)
