"""One instance: the runtime directory, the locks that keep a second daemon out, and the addresses that must be free."""

import fcntl
import os
import socket
import time
from pathlib import Path
from typing import Final

from ipc.settings import Settings

EXIT_ADDRESS_TAKEN: Final = 69
EXIT_CANNOT_CREATE: Final = 73
EXIT_ALREADY_RUNNING: Final = 75

CHILDREN_TIMEOUT_S: Final = 5.0
"""What the children of a supervisor that was killed get to be gone; the kernel kills them with it."""
CHILDREN_RETRY_S: Final = 0.02


class StartupError(Exception):
    """The daemon cannot start. One line for the operator, and the exit status."""

    def __init__(self, reason: str, exit_status: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.exit_status = exit_status


class Instance:
    """Holds the locks for the life of the process. They go with it, however it ends."""

    def __init__(self, settings: Settings) -> None:
        self._locks: list[int] = []
        self.directory = Path(settings.runtime_directory)
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            reason = f"runtime directory {self.directory} cannot be made: {error.strerror}"
            raise StartupError(reason, EXIT_CANNOT_CREATE) from error
        status = self.directory.stat()
        if status.st_uid != os.geteuid():
            # In /tmp anybody could have made it first, and would then own our doors.
            reason = f"runtime directory {self.directory} belongs to uid {status.st_uid}, not to {os.geteuid()}"
            raise StartupError(reason, EXIT_CANNOT_CREATE)
        self._lock(self.directory / "lock", f"another omnishotd runs in {self.directory}")
        self.children_lock = self._lock(
            self.directory / "children.lock",
            f"processes of an earlier omnishotd still live in {self.directory}",
            within_s=CHILDREN_TIMEOUT_S,
        )
        """Descriptor that every child inherits: the lock is free when the last of them is gone, however it went."""
        own = [self.endpoint(name) for name in ("work.sock", "telemetry.sock")]
        self._sockets = [path for path in map(_socket_path, [*settings.frames.endpoints, *own]) if path is not None]
        for path in self._sockets[: len(self._sockets) - len(own)]:
            self._lock(path.with_name(path.name + ".lock"), f"another omnishotd serves ipc://{path}")
        for path in self._sockets:
            self._check_free(path)

    def endpoint(self, name: str) -> str:
        """Name a ZeroMQ endpoint of our own, in the runtime directory."""
        return f"ipc://{self.directory / name}"

    def remove_sockets(self) -> None:
        """Remove the socket files, which nobody listens on any more. The lock files stay: removing them would race."""
        for path in self._sockets:
            path.unlink(missing_ok=True)

    def _check_free(self, path: Path) -> None:
        """Refuse to take the place of anything but a dead socket: libzmq removes what is in its way, without a word."""
        if path.exists() and not path.is_socket():
            self.close()
            raise StartupError(f"{path} exists and is no socket; it is left alone", EXIT_CANNOT_CREATE)
        if _is_listened_on(path):
            self.close()
            raise StartupError(f"another program listens on {path}", EXIT_ADDRESS_TAKEN)

    def close(self) -> None:
        """Give up the locks."""
        for descriptor in self._locks:
            os.close(descriptor)
        self._locks.clear()

    def _lock(self, path: Path, taken: str, within_s: float = 0.0) -> int:
        """Take a lock, waiting for it as long as may be. Returns its descriptor."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self.close()
            raise StartupError(f"{path} cannot be written: {error.strerror}", EXIT_CANNOT_CREATE) from error
        self._locks.append(descriptor)
        give_up_at_s = time.monotonic() + within_s
        while not _try_lock(descriptor):
            if time.monotonic() >= give_up_at_s:
                self.close()
                raise StartupError(taken, EXIT_ALREADY_RUNNING)
            time.sleep(CHILDREN_RETRY_S)
        return descriptor


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_listened_on(path: Path) -> bool:
    """Tell whether the socket of this name is anybody's, who need not be one that takes locks."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.setblocking(False)
        try:
            caller.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            # He is busy, or speaks otherwise.
            return True
        return True


def _socket_path(endpoint: str) -> Path | None:
    """Return the file of a unix socket's address; others, and names in the abstract namespace, have none."""
    path = endpoint.removeprefix("ipc://")
    return None if path == endpoint or path.startswith("@") else Path(path)


def listen(host: str, port: int) -> socket.socket:
    """Take the control plane's address before anything is started. It outlives the control plane's processes."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        reason = f"control plane cannot listen on {host}:{port}: {error.strerror}; set control.port"
        raise StartupError(reason, EXIT_ADDRESS_TAKEN) from error
    return listener
