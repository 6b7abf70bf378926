"""Children: started by exec, watched by pidfd, ended by signal. The only module that does any of the three."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
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
    """A running child. Times are of the supervisor's awake clock, but for `started_at_s`."""

    process: subprocess.Popen[bytes]
    pidfd: int
    channel: Channel[FromChild]
    incarnation: int
    """Its number among all that were ever started."""
    started_at_s: float = field(default_factory=time.monotonic)
    """In real time: operators are told."""
    ready_at_s: float | None = None
    """When it said that it serves."""
    kill_at_s: float | None = None
    """When it will have had time enough to become ready, or to end."""
    kill_reason: str = ""
    """Why we killed it, if we did."""
    kill_cause: Cause | None = None
    """The same, as it is counted."""
    stop_cause: Cause | None = None
    """Why it was told to end, if it was."""
    worn: str | None = None
    """Why it asked to be replaced, if it did."""
    is_silent: bool = False
    """There is nothing more to hear: its end of the channel is closed, or it is not believed any more."""
    strays: int = 0
    """Answers that nobody had asked for."""

    @property
    def pid(self) -> int:
        """Its process id; safe to use only until it was reaped."""
        return self.process.pid

    @property
    def is_ready(self) -> bool:
        """Whether it has said that it serves."""
        return self.ready_at_s is not None

    def kill(self, reason: str = "", cause: Cause | None = None) -> None:
        """Send SIGKILL. By pidfd: it cannot hit a stranger that got the number meanwhile. The first reason stays."""
        if self.kill_cause is None:
            self.kill_reason, self.kill_cause = reason, cause
        try:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            return

    def reap(self, within_s: float | None = None) -> LastExit:
        """Wait for the child, which has ended or been killed, and give back what it held of ours.

        Raises subprocess.TimeoutExpired where the kernel does not let go of it.
        """
        status = self.process.wait(within_s)
        os.close(self.pidfd)
        self.channel.close()
        # One that had ended by itself, or by another's signal, is not put down to a kill that came too late.
        is_killed = status == -signal.SIGKILL
        reason = self.kill_reason if is_killed else ""
        if not reason and status == 0 and self.worn is not None:
            reason = f"replaced: {self.worn}"
        return last_exit(status, reason, (self.kill_cause if is_killed else None) or self.stop_cause)


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
    return ChildProcess(process, pidfd, ours, start.incarnation)


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
    # One heap: what lies free at the top of any but the first is not given back by malloc_trim, see `ipc.upkeep`.
    environment["MALLOC_ARENA_MAX"] = "1"
    return environment
