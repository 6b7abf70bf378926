"""Peer: who sent a message, as his key or the kernel says. Never as he says himself. Pure."""

from dataclasses import dataclass
from typing import Final

_LOCAL: Final = "localhost:"
"""What libzmq's `Peer-Address` of a unix socket begins with; behind it are uid, gid and pid, from SO_PEERCRED.

That of a TCP connection is an IP address. It stands before anything that a peer can say of himself.
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A producer whose word is not needed to know him."""

    id: bytes
    """Whose turn and whose rate it is: a key, or a process of a user."""
    owner: str
    """Whose requests' ids: a key, or a user."""
    name: str
    """For operators."""
    has_key: bool = False
    """Whether he showed a key. Then all of his ids are one scope; a user's are one for each `client`."""
    uid: int | None = None
    """Of a user on this host, as the kernel says."""

    def scope(self, client: str | None, connection: bytes) -> str | bytes:
        """Return the scope of a request's id. No two peers' are equal, but where their owner and `client` are."""
        if self.has_key:
            return self.owner
        if client is not None:
            return f"{self.owner} {client}"
        return b"%b %b" % (self.id, connection)


def peer_of_address(address: str) -> Peer:
    """Name the peer of a unix socket. Two processes of one user are two peers with one owner."""
    uid, _, rest = address.removeprefix(_LOCAL).partition(":")
    pid = rest.rpartition(":")[2]
    number = int(uid) if uid.isdecimal() else None
    return Peer(f"{uid}:{pid}".encode(), f"uid {uid}", f"uid {uid} pid {pid}", uid=number)


def peer_of_key(key: str, name: str) -> Peer:
    """Name the peer who showed a key; `name` is that of the key's file."""
    return Peer(key.encode(), f"key {key}", name, has_key=True)


def is_local(address: str) -> bool:
    """Tell whether a `Peer-Address` is that of a unix socket."""
    return address.startswith(_LOCAL)
