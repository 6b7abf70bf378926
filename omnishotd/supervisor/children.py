"""Children: started by exec, watched by pidfd, ended by signal. The only module that does any of the three."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ipc.causes import Cause
from ipc.channel import Channel, channel_pair
from ipc.messages import FromChild, Start
from ipc.telemetry import LastExit

_NOT_INHERITED: Final = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "CREDENTIALS_DIRECTORY", "LISTEN_FDS")
"""What systemd gave the daemon is not for its children."""


@dataclass(slots=True, eq=False)
class ChildProcess:
    """A running child."""

    process: subprocess.Popen[bytes]
    pidfd: int
    channel: Channel[FromChild]
    is_silent: bool = False
    """Whether its end of the channel is closed: it is ending, and there is nothing more to hear."""

    @property
    def pid(self) -> int:
        """Its process id; safe to use only until it was reaped."""
        return self.process.pid

    def kill(self) -> None:
        """Send SIGKILL. By pidfd: it cannot hit a stranger that got the number meanwhile."""
        try:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            return

    def reap(self, reason: str, cause: Cause | None = None) -> LastExit:
        """Wait for the child, which has ended or been killed, and give back what it held of ours.

        `reason` and `cause` are those for which we ended it, if we did.
        """
        status = self.process.wait()
        os.close(self.pidfd)
        self.channel.close()
        return last_exit(status, reason, cause)


def spawn(module: str, start: Start, descriptors: Sequence[int]) -> ChildProcess:
    """Start `python -m module` with a channel in which `start` lies already, and the given descriptors.

    From the main thread only: the child's death signal fires when the thread that spawned it ends. Raises OSError.
    """
    ours, theirs = channel_pair()
    with theirs:
        ours.send(start)
        command = [sys.executable, "-P", "-m", module, start.service, "--channel", str(theirs.fileno())]
        try:
            process = subprocess.Popen(
                command,
                pass_fds=(theirs.fileno(), *descriptors),
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),
                env=child_environment(),
                process_group=0,
            )
        except OSError:
            ours.close()
            raise
    try:
        pidfd = os.pidfd_open(process.pid)
    except OSError:
        # Nobody would ever watch it.
        process.kill()
        process.wait()
        ours.close()
        raise
    return ChildProcess(process, pidfd, ours)


def last_exit(status: int, reason: str, cause: Cause | None = None) -> LastExit:
    """Describe how a process ended, `status` being as subprocess gives it."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    if status >= 0:
        return LastExit(status, None, (reason or f"exit status {status}")[:200], at, cause or Cause.EXIT)
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"  # a real-time one, which has no name of its own
    if not reason:
        reason = f"{name}; perhaps out of memory" if name == "SIGKILL" else name
    return LastExit(None, name, reason[:200], at, cause or Cause.CRASH)


def child_environment() -> dict[str, str]:
    """Return the environment in which children run."""
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    # One thread a worker: there are as many workers as the cores can feed, and threads would only take turns.
    environment["OPENBLAS_NUM_THREADS"] = "1"
    environment["OMP_NUM_THREADS"] = "1"
    # glibc gives memory back after every large picture and takes the page faults for the next: a fifth of a worker's
    # time. With these it keeps up to 64 MiB.
    environment["MALLOC_MMAP_THRESHOLD_"] = str(32 << 20)
    environment["MALLOC_TRIM_THRESHOLD_"] = str(64 << 20)
    return environment
