"""Notes to systemd, as sd_notify(3) describes them for programs that do not link its library."""

import os
import socket


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
        """Say that the daemon serves."""
        self._send(f"READY=1\nSTATUS={status}\nMAINPID={os.getpid()}")

    def status(self, status: str) -> None:
        """Say how it is, in one line."""
        self._send(f"STATUS={status}")

    def stopping(self, status: str) -> None:
        """Say that it ends."""
        self._send(f"STOPPING=1\nSTATUS={status}")

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
