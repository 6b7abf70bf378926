"""Keys for daemons and producers of tests, and a daemon's settings with them."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from omnishotd.client import Client


@dataclass(frozen=True)
class Pair:
    """Keys of one side, as `omnishotd keys new` lays them out."""

    public: str
    secret: str
    file: Path
    """Holds the secret one."""


class KeyRing:
    """A daemon's pair of keys, and the folder of those whom it lets in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.authorized = folder / "authorized"
        self.authorized.mkdir()
        self.daemon = self.pair("daemon")
        self.port = free_port()
        self.endpoint = f"tcp://127.0.0.1:{self.port}"

    def pair(self, name: str) -> Pair:
        """Make a pair of keys."""
        public, secret = (key.decode() for key in zmq.curve_keypair())
        file = self._folder / f"{name}.secret"
        file.write_text(f"{secret}\n")
        file.chmod(0o600)
        return Pair(public, secret, file)

    def let_in(self, name: str) -> Pair:
        """Make a pair, and put the public key into the folder."""
        pair = self.pair(name)
        (self.authorized / f"{name}.key").write_text(f"{pair.public}\n")
        return pair

    def turn_out(self, name: str) -> None:
        """Take a public key out of the folder."""
        (self.authorized / f"{name}.key").unlink()

    def assignments(self, *more_endpoints: str) -> list[str]:
        """Settings of a daemon that takes frames over TCP, too."""
        endpoints = ["ipc://$RUNTIME_DIRECTORY/frames.sock", self.endpoint, *more_endpoints]
        return [
            f"frames.endpoints={endpoints}",
            f"frames.curve_secret_key_file={self.daemon.file}",
            f"frames.curve_authorized_keys={self.authorized}",
        ]

    def client(self, own: Pair, **options: Any) -> Client:
        """A producer over TCP."""
        return Client(self.endpoint, server_key=self.daemon.public, key_file=own.file, **options)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
