"""CURVE from a producer's side: the keys it needs over TCP, and why a handshake fails."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import zmq

from ipc.keys import KeyUnusable, is_key, read_secret_key

SERVER_KEY_VARIABLE: Final = "OMNISHOTD_SERVER_KEY"
KEY_FILE_VARIABLE: Final = "OMNISHOTD_KEY_FILE"
FAILED_HANDSHAKE: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


@dataclass(frozen=True, slots=True)
class Keys:
    """What CURVE needs of a client. All are in Z85."""

    server_key: bytes
    """The daemon's public key."""
    public_key: bytes
    secret_key: bytes

    def __repr__(self) -> str:
        return f"Keys(server_key={self.server_key!r}, public_key={self.public_key!r})"


def find_keys(
    endpoint: str, server_key: str | None, key_file: str | os.PathLike[str] | None, environment: Mapping[str, str]
) -> Keys | None:
    """Return the keys for an address, None where none are needed: what is said, else what the environment says.

    The environment counts for TCP only: a daemon's unix socket takes no keys. Raises ValueError that names what is
    wrong.
    """
    if not endpoint.startswith("tcp://"):
        if server_key is not None or key_file is not None:
            raise ValueError(f"server_key, key_file: are for tcp:// only, not for {endpoint}")
        return None
    server_key = server_key or environment.get(SERVER_KEY_VARIABLE) or None
    key_file = key_file or environment.get(KEY_FILE_VARIABLE) or None
    if server_key is None and key_file is None:
        # Behind a forwarder, as ssh makes one, there may be a unix socket.
        return None
    if server_key is None:
        raise ValueError(f"server_key: the daemon's public key is needed beside key_file (or ${SERVER_KEY_VARIABLE})")
    if key_file is None:
        raise ValueError(f"key_file: this producer's secret key is needed beside server_key (or ${KEY_FILE_VARIABLE})")
    server_key = server_key.strip()
    if not is_key(server_key):
        raise ValueError("server_key: must be the daemon's public key itself, 40 characters of Z85")
    try:
        secret_key = read_secret_key(Path(key_file)).encode()
    except KeyUnusable as error:
        raise ValueError(f"key_file: {error}") from error
    except OSError as error:
        raise ValueError(f"key_file: {key_file}: {error.strerror}") from error
    return Keys(server_key.encode(), zmq.curve_public(secret_key), secret_key)


def why_it_failed(event: int, keys: Keys | None) -> str:
    """Say what a failed handshake means, and what to look at. `event` is the socket monitor's."""
    if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH and keys is not None:
        return (
            f"the daemon does not know this producer's key, {keys.public_key.decode()}: it must be in a file *.key "
            "in the daemon's frames.curve_authorized_keys, and the daemon must have read it since (reload)"
        )
    if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
        if keys is None:
            return "the daemon asks for keys (server_key and key_file)"
        return "who listens there takes no keys, or is no daemon"
    if keys is None:
        return "the handshake was broken off; over TCP a daemon asks for keys (server_key and key_file)"
    return "the handshake was broken off; is server_key the public key of the daemon there?"
