"""What the supervisor believes of whom. The daemon as a whole is held by `tests/system`."""

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ipc.causes import Cause
from ipc.channel import channel_pair, child_channel
from ipc.messages import (
    Drained,
    Examine,
    Examined,
    FromChild,
    Kill,
    Ready,
    ToChild,
    Unable,
    WorkerExpected,
    WorkerGone,
)
from omnishotd.supervisor.children import ChildProcess
from omnishotd.supervisor.instance import Instance, listen
from omnishotd.supervisor.lifecycle import ServiceEvent
from omnishotd.supervisor.notify import Notifier
from omnishotd.supervisor.process import Supervisor
from omnishotd.supervisor.service import Service
from omnishotd.supervisor.signals import HANDLED
from tests.control.support import make_settings


class Stage:
    """A supervisor that is not run, and services whose processes only wait; a test says what they say."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.voices: dict[str, socket.socket] = {}
        for number, service in enumerate(supervisor._household.services):
            process = subprocess.Popen(["/bin/sleep", "1000"])
            ours, self.voices[service.name] = channel_pair()
            service.child = ChildProcess(process, os.pidfd_open(process.pid), ours)
            service.incarnation = number
            service.advance(ServiceEvent.SPAWN)
            service.advance(ServiceEvent.READY)

    def service(self, name: str) -> Service:
        return self.supervisor._household.named(name)

    def hear(self, name: str) -> ToChild | None:
        """What a service was told next, or None."""
        if not select.select([self.voices[name]], [], [], 0)[0]:
            return None
        message: ToChild = msgspec.msgpack.decode(self.voices[name].recv(1 << 17), type=ToChild)
        return message

    def end(self, name: str) -> Service:
        """Have a service's process ended, and the supervisor see it."""
        service = self.service(name)
        assert service.child is not None
        service.child.kill()
        assert select.select([service.child.pidfd], [], [], 10)[0]
        self.supervisor._exited(service)
        return service

    def say(self, name: str, said: FromChild | bytes) -> None:
        """Have a service say something, and the supervisor hear it."""
        self.voices[name].send(said if isinstance(said, bytes) else msgspec.msgpack.encode(said))
        self.supervisor._listen_to(self.service(name))

    def killed(self) -> list[str]:
        """Name the services whose process was killed, waiting for those that must have been."""
        killed = []
        for service in self.supervisor._household.services:
            if service.child is not None and service.kill_reason:
                assert select.select([service.child.pidfd], [], [], 10)[0]
                killed.append(service.name)
            elif service.child is not None:
                assert select.select([service.child.pidfd], [], [], 0)[0] == []
        return killed


@pytest.fixture
def stage(runtime_directory: Path) -> Iterator[Stage]:
    settings = msgspec.structs.replace(make_settings(), runtime_directory=str(runtime_directory))
    handlers = {number: signal.getsignal(number) for number in HANDLED}
    instance = Instance(settings)
    with listen("127.0.0.1", 0) as listener:
        supervisor = Supervisor(settings, instance, listener, Notifier(None), json_logs=False, ready_fd=None)
        made = Stage(supervisor)
        yield made
        supervisor._household.close()
    for voice in made.voices.values():
        voice.close()
    instance.close()
    signal.set_wakeup_fd(-1)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    os.close(supervisor._signals._reader)
    os.close(supervisor._signals._writer)


def test_broker_may_have_a_worker_killed(stage: Stage) -> None:
    stage.say("broker", Kill(stage.service("decode-1").incarnation, "over its time limit", Cause.TIME_LIMIT))

    assert stage.killed() == ["decode-1"]
    assert stage.service("decode-1").kill_reason == "over its time limit"


def test_systemd_is_told_which_service_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(stage.supervisor._notifier, "status", said.append)
    service = stage.service("decode-0")
    policy = stage.supervisor._household.policies[service.kind]
    while policy.died(time.monotonic()) is not None:
        pass
    assert service.child is not None
    service.child.kill()
    stage.supervisor._exited(service)

    assert said == ["decode-0 is given up"]


def test_kill_of_a_process_that_is_no_more_kills_nobody(stage: Stage) -> None:
    stage.say("broker", Kill(999, "over its time limit", Cause.TIME_LIMIT))

    assert stage.killed() == []


@pytest.mark.parametrize(
    "said",
    [
        Kill(0, "I say so", Cause.CRASH),
        Examine(1, "broker", "snapshot"),
        Drained(0),
        Unable("I say so", 1),
        Ready(),
        b"garbage",
        msgspec.msgpack.encode(["ready", "x"])[:-1] + b"\xff",
    ],
    ids=["kill", "examine", "drained", "unable", "ready again", "garbage", "no UTF-8"],
)
def test_worker_that_says_what_is_not_its_to_say_is_killed_alone(stage: Stage, said: FromChild | bytes) -> None:
    """It decodes hostile bytes: whoever took it over must not reach the daemon through it."""
    stage.say("decode-0", said)

    assert stage.killed() == ["decode-0"]
    assert stage.supervisor._failure is None


def test_death_of_a_worker_is_told_to_the_broker_after_it_was_waited_for(stage: Stage) -> None:
    service = stage.service("decode-0")
    assert service.child is not None
    pid = service.child.pid
    service.child.kill()
    assert select.select([service.child.pidfd], [], [], 10)[0]
    stage.supervisor._exited(service)

    with child_channel(stage.voices["broker"].detach()) as broker:
        assert broker.receive() == WorkerGone(service.incarnation, "SIGKILL; perhaps out of memory")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_death_of_the_broker_kills_all_workers_and_leaves_the_control_plane(stage: Stage) -> None:
    broker = stage.service("broker")
    assert broker.child is not None
    broker.child.kill()
    assert select.select([broker.child.pidfd], [], [], 10)[0]
    stage.supervisor._exited(broker)

    assert stage.killed() == ["decode-0", "decode-1", "transform+encode-0"]


def test_broker_that_cannot_be_started_again_gets_no_workers(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers without a broker would hold the arena for ever, and the next broker waits for them to end."""
    for service in stage.supervisor._household.services:
        if service.child is not None and service.name != "control":
            service.child.kill()
            stage.supervisor._exited(service)

    asked: list[str] = []

    def refuse(module: str, *_: object) -> None:
        asked.append(module)
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("omnishotd.supervisor.nursery.spawn", refuse)
    stage.supervisor._household.spawn_pipeline()

    assert asked == ["omnishotd.broker"]
    assert not any(service.is_live for service in stage.supervisor._household.services if service.name != "control")


def test_worker_that_cannot_be_started_is_reported_as_gone(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    service = stage.service("decode-0")
    assert service.child is not None
    service.child.kill()
    stage.supervisor._exited(service)

    def refuse(*_: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("omnishotd.supervisor.nursery.spawn", refuse)
    stage.supervisor._household.spawn(service)

    with child_channel(stage.voices["broker"].detach()) as broker:
        messages = [broker.receive() for _ in range(3)]
    assert [type(message) for message in messages] == [WorkerGone, WorkerExpected, WorkerGone]


def test_death_is_counted_by_its_cause_when_the_service_is_started_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omnishotd.supervisor.nursery.spawn", lambda *_: None)
    stage.say("broker", Kill(stage.service("decode-0").incarnation, "over its time limit", Cause.TIME_LIMIT))
    for name in ("decode-0", "decode-1"):
        stage.supervisor._household.spawn(stage.end(name))

    told = [stage.service(name).figures(0) for name in ("decode-0", "decode-1", "broker")]
    assert [figures.restarts for figures in told] == [1, 1, 0]
    assert [figures.restarts_by_cause for figures in told] == [{Cause.TIME_LIMIT: 1}, {Cause.CRASH: 1}, {}]


def test_question_of_the_control_plane_reaches_its_service_and_the_answer_comes_back_once(stage: Stage) -> None:
    stage.say("control", Examine(7, "decode-0", "trim"))
    assert stage.hear("decode-0") == Examine(7, "decode-0", "trim")
    assert stage.hear("decode-1") is None

    answer = Examined(7, "decode-0", rss_before_bytes=9, rss_after_bytes=5)
    stage.say("decode-0", answer)
    stage.say("decode-0", answer)
    assert stage.hear("control") == answer
    assert stage.hear("control") is None
    assert stage.killed() == []


def test_answer_of_a_service_that_was_not_asked_reaches_nobody(stage: Stage) -> None:
    stage.say("control", Examine(7, "decode-0", "trim"))
    stage.say("decode-1", Examined(7, "decode-1"))
    stage.say("decode-1", Examined(7, "decode-0"))

    assert stage.hear("control") is None


def test_question_to_nobody_is_answered_at_once(stage: Stage) -> None:
    stage.say("control", Examine(3, "decode-9", "trim"))

    assert stage.hear("control") == Examined(3, "decode-9", fault="is not running")


def test_question_to_a_process_that_ends_is_answered_for_it(stage: Stage) -> None:
    stage.say("control", Examine(3, "decode-0", "snapshot"))
    stage.end("decode-0")

    assert stage.hear("control") == Examined(3, "decode-0", fault="its process ended before it answered")


def test_question_to_the_supervisor_is_answered_by_itself(stage: Stage) -> None:
    stage.say("control", Examine(4, "supervisor", "collect"))

    answer = stage.hear("control")
    assert isinstance(answer, Examined)
    assert (answer.number, answer.service, answer.fault) == (4, "supervisor", "")
    assert answer.rss_after_bytes > 0


def test_questions_without_answer_are_bounded(stage: Stage) -> None:
    for number in range(20):
        stage.say("control", Examine(number, "decode-0", "snapshot"))

    assert stage.hear("control") == Examined(16, "decode-0", fault="too many questions are open")


def test_examination_answered_while_draining_is_no_fault(stage: Stage) -> None:
    stage.say("control", Examine(5, "broker", "snapshot"))
    stage.service("broker").advance(ServiceEvent.ORDER_STOP)
    stage.say("broker", Examined(5, "broker"))

    assert stage.killed() == []
    assert stage.hear("control") == Examined(5, "broker")


def test_start_that_fails_is_no_restart(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    service = stage.end("decode-0")
    with monkeypatch.context() as patch:
        patch.setattr("omnishotd.supervisor.nursery.spawn", refuse)
        for _ in range(3):
            stage.supervisor._household.spawn(service)
    assert service.restarts.total() == 0

    monkeypatch.setattr("omnishotd.supervisor.nursery.spawn", lambda *_: None)
    stage.supervisor._household.spawn(service)
    assert service.restarts == {Cause.CRASH: 1}


def test_breach_of_the_protocol_is_a_death_and_a_frame_that_took_too_long_is_none(stage: Stage) -> None:
    service = stage.service("decode-0")
    policy = stage.supervisor._household.policies[service.kind]
    stage.say("decode-0", b"garbage")
    stage.supervisor._exited(service)
    assert policy.deaths_lately(time.monotonic()) == 1

    stage.say("broker", Kill(stage.service("decode-1").incarnation, "over its time limit", Cause.TIME_LIMIT))
    stage.supervisor._exited(stage.service("decode-1"))
    assert policy.deaths_lately(time.monotonic()) == 1
