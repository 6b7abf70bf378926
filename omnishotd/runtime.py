"""Where a daemon keeps its sockets: one folder, named by the environment. Standard library only."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SOCKET_NAME: Final = "frames.sock"


class RuntimeDirectoryError(ValueError):
    """`$RUNTIME_DIRECTORY` cannot be used. `what` is wrong with it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"RUNTIME_DIRECTORY: {what}")
        self.what = what


def runtime_directory(environment: Mapping[str, str]) -> Path:
    """Return the folder for sockets: systemd's, the user's own under `$XDG_RUNTIME_DIR`, or one in /tmp.

    The folder need not exist: the supervisor makes it. Raises RuntimeDirectoryError.
    """
    by_systemd = environment.get("RUNTIME_DIRECTORY", "")
    if by_systemd:
        # systemd joins several RuntimeDirectory= with colons; the first is ours.
        first = by_systemd.partition(":")[0]
        if not first.startswith("/"):
            raise RuntimeDirectoryError(f"{first!r} is not an absolute path")
        return Path(first)
    of_user = environment.get("XDG_RUNTIME_DIR", "")
    if of_user.startswith("/") and Path(of_user).is_dir():
        return Path(of_user, "omnishotd")
    return Path(f"/tmp/omnishotd-{os.getuid()}")  # noqa: S108 - the supervisor makes it 0700 and refuses another owner's


def default_endpoint(environment: Mapping[str, str]) -> str:
    """Return the address at which a daemon with default settings, started in this environment, takes frames."""
    return f"ipc://{runtime_directory(environment) / SOCKET_NAME}"
