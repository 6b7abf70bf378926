"""Notes to systemd, as sd_notify(3) describes them for programs that do not link its library."""

import os
import socket
import time
from typing import Final

STATUS_LENGTH_MAX: Final = 300


class Notifier:
    """Sends states to the service manager; does nothing where there is none. Never blocks, never raises."""

    def __init__(self, address: str | None) -> None:
        self._address = address or ""
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]

    @classmethod
    def from_environment(cls) -> "Notifier":
        """Take the address from the environment, and out of it: children must not speak for the daemon."""
        return cls(os.environ.pop("NOTIFY_SOCKET", None))

    def ready(self, status: str) -> None:
        """Say that the daemon serves; also at the end of a reload."""
        self._send(f"READY=1\nSTATUS={_line(status)}\nMAINPID={os.getpid()}")

    def status(self, status: str) -> None:
        """Say how it is, in one line."""
        self._send(f"STATUS={_line(status)}")

    def stopping(self, status: str) -> None:
        """Say that it ends."""
        self._send(f"STOPPING=1\nSTATUS={_line(status)}")

    def reloading(self, status: str) -> None:
        """Say that the configuration is read again; `ready` ends it. The time tells this reload from an earlier one."""
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now_us}\nSTATUS={_line(status)}")

    def alive(self) -> None:
        """Say that the main loop turns."""
        self._send("WATCHDOG=1")

    def patience(self, seconds: float) -> None:
        """Ask for so much time, from now on, in a start or a stop that takes longer than the unit says."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as end:
                end.setblocking(False)
                end.sendto(state.encode(), self._address)
        except OSError:
            # The service manager is gone or full: pictures matter more than being watched.
            return


def _line(status: str) -> str:
    """A line break would begin another assignment."""
    text = " ".join(status.split())
    return text if len(text) <= STATUS_LENGTH_MAX else text[: STATUS_LENGTH_MAX - 3] + "..."
