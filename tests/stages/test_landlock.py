"""Landlock in processes of the test's own."""

import errno
import subprocess
import sys

import pytest

from stages import landlock

SHUT = """
import errno, os, signal, socket
from ipc.posture import forbid_new_privileges
from stages import landlock


def came_of(attempt):
    try:
        attempt()
    except OSError as error:
        return error.errno
    return 0


opened = os.open("/etc/passwd", os.O_RDONLY)
abstract = socket.socket(socket.AF_UNIX)
listener = socket.create_server(("127.0.0.1", 0))
forbid_new_privileges()
version = landlock.shut()
"""


def came_of(attempt: str) -> int:
    """Try something in a process that is shut, and return the kernel's reason against it."""
    program = [sys.executable, "-c", f"{SHUT}print(came_of(lambda: {attempt}))"]
    ended = subprocess.run(program, check=False, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)


@pytest.mark.parametrize(
    "attempt",
    [
        'os.open("/etc/passwd", os.O_RDONLY)',
        'os.open("/proc/self/status", os.O_RDONLY)',
        'os.open("/tmp/omnishotd-stolen", os.O_WRONLY | os.O_CREAT)',
        'os.open("/dev/shm/omnishotd-stolen", os.O_RDWR | os.O_CREAT)',
        'os.mkdir("/tmp/omnishotd-stolen")',
        'os.listdir("/")',
        'os.execv("/bin/true", ["true"])',
        'socket.socket(socket.AF_UNIX).bind("/tmp/omnishotd-stolen")',
    ],
)
def test_file_that_is_not_open_yet_is_refused(attempt: str) -> None:
    assert came_of(attempt) == errno.EACCES


@pytest.mark.parametrize(
    "attempt",
    ["socket.socket().connect(listener.getsockname())", 'socket.create_server(("127.0.0.1", 0))'],
    ids=["connect", "bind"],
)
def test_tcp_is_refused_by_kernels_that_can(attempt: str) -> None:
    assert came_of(attempt) == (errno.EACCES if landlock.version() >= 4 else 0)


def test_signals_to_others_are_refused_by_kernels_that_can() -> None:
    assert came_of("os.kill(os.getppid(), 0)") == (errno.EPERM if landlock.version() >= 6 else 0)


def test_what_is_open_already_stays() -> None:
    assert came_of("os.pread(opened, 1, 0)") == 0


def test_kernel_without_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no such kernel to be had here, so its answer is played."""
    monkeypatch.setattr(landlock, "version", lambda: 0)

    with pytest.raises(OSError, match="landlock"):
        landlock.shut()
