"""A daemon for the length of one command: found where one runs already, else started privately and stopped again."""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from omnishotd.cli.program import Failure
from omnishotd.runtime import SOCKET_NAME, RuntimeDirectoryError, default_endpoint

SYSTEM_ENDPOINT: Final = f"ipc:///run/omnishotd/{SOCKET_NAME}"
"""Where the daemon that systemd runs takes frames."""

_READY_SECONDS_MAX: Final = 60.0
_STOP_SECONDS_MAX: Final = 30.0
_CONNECT_SECONDS_MAX: Final = 1.0
_LINES_KEPT: Final = 40
_FOLDER_LENGTH_MAX: Final = 60
_OF_THE_SERVICE_MANAGER: Final = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"})


def running_endpoint() -> str | None:
    """Return the address of a daemon that runs for this user or, by systemd, for the system.

    Raises Failure with status 78 where `$RUNTIME_DIRECTORY` cannot be used.
    """
    try:
        own = default_endpoint(os.environ)
    except RuntimeDirectoryError as error:
        raise Failure(str(error), os.EX_CONFIG) from error
    if _is_ours(own) and _listens(own):
        return own
    return SYSTEM_ENDPOINT if _listens(SYSTEM_ENDPOINT) else None


@contextmanager
def private_daemon(arguments: Sequence[str] = ()) -> Iterator[str]:
    """Start a daemon that nobody else knows of, and yield its address. It is gone when this ends, however it ends.

    `arguments` go to `omnishotd serve`. Raises Failure: with status 78 where the configuration is wrong, else 69.
    """
    # The path of a socket must fit into 107 bytes, whatever $TMPDIR says.
    parent = tempfile.gettempdir() if len(tempfile.gettempdir()) <= _FOLDER_LENGTH_MAX else "/tmp"  # noqa: S108
    with tempfile.TemporaryDirectory(prefix="omnishotd-", dir=parent, ignore_cleanup_errors=True) as folder:
        reading, writing = os.pipe()
        process = _started(arguments, Path(folder), writing)
        os.close(writing)
        tail = _Tail(process)
        try:
            _await_ready(process, reading, tail)
            yield f"ipc://{folder}/{SOCKET_NAME}"
        finally:
            os.close(reading)
            _stop(process)
            tail.join()


class _Tail:
    """The last lines that a process wrote: read by a thread, so that the process never waits for a reader."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._thread = threading.Thread(target=self._read, args=(process.stderr,), name="daemon-log", daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in iter(lambda: stream.readline(4096), b""):
                self._lines.append(line.decode(errors="replace").rstrip("\n"))

    def join(self) -> list[str]:
        """Wait for the end of the stream, shortly: a grandchild may hold it open. Return the last lines."""
        self._thread.join(timeout=1)
        return list(self._lines)


def _is_ours(endpoint: str) -> bool:
    """Tell whether nobody else could have put a socket there to get our pictures: in /tmp anybody can make a folder."""
    try:
        return Path(endpoint.removeprefix("ipc://")).parent.stat().st_uid in {os.geteuid(), 0}
    except OSError:
        return False


def _listens(endpoint: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_CONNECT_SECONDS_MAX)
        try:
            probe.connect(endpoint.removeprefix("ipc://"))
        except OSError:
            return False
    return True


def _started(arguments: Sequence[str], folder: Path, ready_fd: int) -> subprocess.Popen[bytes]:
    own = [f'frames.endpoints=["ipc://$RUNTIME_DIRECTORY/{SOCKET_NAME}"]', "control.port=0"]
    command = [sys.executable, "-P", "-m", "omnishotd", "serve", *arguments]
    command += [part for assignment in own for part in ("--set", assignment)]
    command += ["--log-format", "text", "--ready-fd", str(ready_fd), "--stop-with-parent", str(os.getpid())]
    environment = {name: value for name, value in os.environ.items() if name not in _OF_THE_SERVICE_MANAGER}
    return subprocess.Popen(
        command,
        env=environment | {"RUNTIME_DIRECTORY": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(ready_fd,),
        start_new_session=True,  # Ctrl-C is for us alone: we stop the daemon, in order
    )


def _await_ready(process: subprocess.Popen[bytes], reading: int, tail: _Tail) -> None:
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    # The end of the pipe without a byte is the end of the process: no clock has to run down for that.
    answered = poll.poll(_READY_SECONDS_MAX * 1000)
    if answered and os.read(reading, 1) == b"R":
        return
    _stop(process)
    lines = tail.join()
    if process.returncode == os.EX_CONFIG and answered:
        own = [line.removeprefix("omnishotd: ") for line in lines if line.startswith("omnishotd: ")]
        raise Failure("\n".join(own), os.EX_CONFIG)
    last = lines[-1] if lines else "it said nothing"
    what = f"ended with status {process.returncode}" if answered else f"was not ready in {_READY_SECONDS_MAX:.0f} s"
    raise Failure(f"a private daemon {what}: {last}", os.EX_UNAVAILABLE)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the daemon in order, within a bound. A second Ctrl-C shortens the wait and not the order."""
    deadline = time.monotonic() + _STOP_SECONDS_MAX
    while process.poll() is None:
        process.send_signal(signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
        try:
            process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            continue
        except KeyboardInterrupt:
            deadline = min(deadline, time.monotonic() + 2)
