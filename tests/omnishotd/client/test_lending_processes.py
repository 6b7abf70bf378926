"""Lent memory and the ends of processes: forked off, forgetful, or killed."""

import signal
import subprocess
import sys

import pytest

from tests.omnishotd.client.lent import echo_lent, segments
from tests.omnishotd.client.scripted_daemon import WITHIN_S, ScriptedDaemon
from tests.waiting import eventually

PREAMBLE = """
import os, sys
from omnishotd.client import Client, ForkedClient
client = Client(sys.argv[1])
lent = client.lend(100, count=2)
image = lent.image(b"a jpeg")
"""

FORKED = """
array = image.view
if (pid := os.fork()) == 0:
    array[0] = ord("b")
    for use in (lambda: lent.take(5), lambda: client.submit(image, preset="p"), lambda: client.lend(5)):
        try:
            use()
        except ForkedClient as error:
            assert str(os.getpid()) in str(error)
        else:
            sys.exit(3)
    with Client(sys.argv[1]) as own:
        try:
            own.submit(image, preset="p")
        except ForkedClient as error:
            assert str(os.getpid()) in str(error)
        else:
            sys.exit(4)
    image.release()
    lent.close()
    del image, lent
    sys.exit(0)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert client.process(image, preset="p").outputs[0].data == b"b jpeg"
lent.close()
assert not [name for name in os.listdir("/dev/shm") if name.startswith(f"omnishotd-lent-{os.getpid()}-")]
sys.exit(status)
"""

FORGOTTEN = """
view = image.view
pending = client.submit(image, preset="p")
"""

TAKEN_AWAY = """
name = next(name for name in os.listdir("/dev/shm") if name.startswith(f"omnishotd-lent-{os.getpid()}-"))
os.unlink("/dev/shm/" + name)
"""

KILLED = """
import signal
pending = client.submit(image, preset="p")
client.ping()
os.kill(os.getpid(), signal.SIGKILL)
"""


def run(program: str, played: ScriptedDaemon) -> tuple[int, int, str]:
    """Run a program to its end, and that of the tracker that it started; return its pid, its status and its words."""
    command = [sys.executable, "-P", "-W", "error", "-c", PREAMBLE + program, played.endpoint]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        _, told = running.communicate(timeout=20)
    return running.pid, running.returncode, told


def test_forked_process_can_fill_but_not_lend_and_takes_nothing_away(played: ScriptedDaemon) -> None:
    played.answer = echo_lent
    _, status, told = run(FORKED, played)

    assert (status, told) == (0, "")


@pytest.mark.parametrize("program", [FORGOTTEN, TAKEN_AWAY], ids=["forgotten", "taken away by somebody"])
def test_program_that_does_not_close_leaves_no_segment_and_no_word(played: ScriptedDaemon, program: str) -> None:
    pid, status, told = run(program, played)

    assert (status, told) == (0, "")
    assert segments(pid) == []


def test_segment_of_a_producer_that_is_killed_is_taken_away(played: ScriptedDaemon) -> None:
    pid, status, _ = run(KILLED, played)

    assert status == -signal.SIGKILL
    assert "lent" in played.take().header
    eventually(lambda: not segments(pid), within_s=WITHIN_S, what="the tracker took the segment away")
