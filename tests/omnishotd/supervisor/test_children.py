"""Children: real processes, started and ended as the daemon does it."""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipc.causes import Cause
from ipc.channel import ChannelClosed
from ipc.messages import FromChild, Ready, Start, Stop
from omnishotd.supervisor.children import ChildProcess, last_exit, spawn
from tests.control.support import make_settings

WITHIN_S = 10.0

CHILD = """
import os, sys
from ipc.causes import Cause
from ipc.channel import ChannelClosed
from ipc.child import begin
from ipc.messages import Ready, Stop
import select

child = begin(sys.argv)
handed_on = os.read(child.start.listen_fd, 100).decode()
with open("/proc/self/comm") as comm:
    name = comm.read().strip()
child.channel.send(Ready("|".join([
    child.start.service, str(child.start.incarnation), handed_on, name, os.environ.get("NOTIFY_SOCKET", "none"),
    str(os.getpgrp() == os.getpid()),
])))
try:
    select.select([child.channel], [], [])
    sys.exit(5 if isinstance(child.channel.receive(), Stop) else 6)
except ChannelClosed:
    sys.exit(7)
"""

DEAF_CHILD = """
import signal, sys
from ipc.child import begin
from ipc.messages import Ready

child = begin(sys.argv)
child.channel.send(Ready())
signal.pause()
"""
"""Does not look at its channel: the kernel alone can end it with its parent."""

PARENT = """
import os, sys, time
from ipc.messages import Ready
from omnishotd.supervisor.children import spawn
from tests.omnishotd.supervisor.test_children import heard, start_message

reader, writer = os.pipe()
os.write(writer, b"x")
child = spawn("deaf_child", start_message(reader), [reader])
assert isinstance(heard(child), Ready)
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _child_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the small child where Python finds it, and the tests too."""
    (tmp_path / "child_of_test.py").write_text(CHILD)
    (tmp_path / "deaf_child.py").write_text(DEAF_CHILD)
    root = Path(__file__).parents[3]
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{root}")


def start_message(listen_fd: int) -> Start:
    return Start(
        service="decode-0",
        incarnation=41,
        stages=["decode"],
        epoch="e1",
        settings=make_settings(),
        parent_pid=os.getpid(),
        listen_fd=listen_fd,
    )


def heard(child: ChildProcess) -> FromChild:
    """Wait for what the child says next."""
    assert select.select([child.channel], [], [], WITHIN_S)[0], "the child says nothing"
    message = child.channel.receive()
    assert message is not None
    return message


def descriptors() -> set[int]:
    """All descriptors of this process."""
    return {int(path.name) for path in Path("/proc/self/fd").iterdir()}


def ended(pidfd: int) -> bool:
    """Wait until a process has ended."""
    return bool(select.select([pidfd], [], [], WITHIN_S)[0])


@pytest.fixture
def child() -> Iterator[ChildProcess]:
    """A child with a pipe handed on, in which there is something to read."""
    reader, writer = os.pipe()
    os.write(writer, b"handed on")
    os.close(writer)
    started = spawn("child_of_test", start_message(reader), [reader])
    os.close(reader)
    yield started
    if started.process.returncode is None:
        started.kill()
        started.reap()


def test_child_learns_who_it_is_and_gets_what_was_handed_on(child: ChildProcess) -> None:
    assert heard(child) == Ready("decode-0|41|handed on|decode-0|none|True")


def test_child_does_not_speak_to_the_service_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    reader, writer = os.pipe()
    os.close(writer)
    child = spawn("child_of_test", start_message(reader), [reader])
    os.close(reader)

    message = heard(child)
    assert isinstance(message, Ready)
    assert message.detail.endswith("|none|True")
    child.kill()
    child.reap()


def test_child_that_was_told_to_stop_is_reaped_with_its_own_status(child: ChildProcess) -> None:
    heard(child)
    child.channel.send(Stop())
    assert ended(child.pidfd)
    exited = child.reap()

    assert (exited.code, exited.signal, exited.reason) == (5, None, "exit status 5")


def test_child_that_was_killed_is_reaped_with_the_first_reason(child: ChildProcess) -> None:
    heard(child)
    child.kill("over its time limit", Cause.TIME_LIMIT)
    child.kill("did not end", Cause.STOPPED)
    assert ended(child.pidfd)
    with pytest.raises(ChannelClosed):
        child.channel.receive()
    exited = child.reap()

    assert (exited.code, exited.signal, exited.reason) == (None, "SIGKILL", "over its time limit")
    assert exited.cause is Cause.TIME_LIMIT


def test_kill_of_a_child_that_has_ended_already_is_no_fault(child: ChildProcess) -> None:
    heard(child)
    child.kill()
    assert ended(child.pidfd)
    child.kill()

    assert child.reap().signal == "SIGKILL"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_child_leaves_signals_to_the_supervisor(child: ChildProcess, number: signal.Signals) -> None:
    heard(child)
    signal.pidfd_send_signal(child.pidfd, number)
    child.channel.send(Stop())
    assert ended(child.pidfd)

    assert child.reap().code == 5


def test_reap_gives_back_descriptors(child: ChildProcess) -> None:
    heard(child)
    held = {child.pidfd, child.channel.fileno()}
    child.kill()
    child.reap()

    assert held.isdisjoint(descriptors())


def test_child_dies_with_its_parent() -> None:
    command = [sys.executable, "-P", "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pidfd = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            assert ended(pidfd)
        finally:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)


def test_child_whose_parent_is_another_than_it_was_told_ends_at_once() -> None:
    """So ends a child whose parent died before it could ask to be told of that."""
    reader, writer = os.pipe()
    start = start_message(reader)
    stranger = Start(**{name: getattr(start, name) for name in start.__struct_fields__} | {"parent_pid": 1})
    child = spawn("child_of_test", stranger, [reader])
    os.close(reader)
    os.close(writer)
    assert ended(child.pidfd)

    assert child.reap().code == 1


def test_spawn_that_fails_leaves_no_descriptor_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    with pytest.raises(OSError, match="nowhere"):
        spawn("child_of_test", start_message(0), [])
    assert descriptors() == before


def test_child_that_cannot_be_watched_is_not_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite's own fixture sees to it that no child is left."""
    before = descriptors()

    def refuse(_: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("os.pidfd_open", refuse)

    with pytest.raises(OSError, match="Too many"):
        spawn("child_of_test", start_message(0), [])
    assert descriptors() == before


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (0, "", (0, None, "exit status 0")),
        (3, "", (3, None, "exit status 3")),
        (1, "not ready in time", (1, None, "not ready in time")),
        (-11, "", (None, "SIGSEGV", "SIGSEGV")),
        (-9, "", (None, "SIGKILL", "SIGKILL; perhaps out of memory")),
        (-9, "over its time limit", (None, "SIGKILL", "over its time limit")),
        (-40, "", (None, "signal 40", "signal 40")),
    ],
)
def test_last_exit_says_how_and_why(status: int, reason: str, expected: tuple[int | None, str | None, str]) -> None:
    exited = last_exit(status, reason)

    assert (exited.code, exited.signal, exited.reason) == expected
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", exited.at)
