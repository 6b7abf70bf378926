"""ZAP, ZeroMQ's RFC 27: who may connect over TCP. Pure: questions and answers, without the socket.

libzmq asks once for each handshake, and lets nobody in before it has its answer. pyzmq's authenticator would answer in
a thread with an event loop: 9 MiB more, no less of the interpreter for a crowd at the door, and a thread that dies of
an error leaves the door shut, unseen. The broker's own loop answers a bounded number a turn.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final

from zmq.utils import z85

from ipc.sockets import ZAP_DOMAIN

_VERSION: Final = b"1.0"
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer to one question."""

    answer: list[bytes]
    address: str
    """Of who wants to come in."""
    key: str
    """Empty where none was shown."""
    is_let_in: bool


def judge(question: Sequence[bytes], keys: Container[str | int]) -> Verdict:
    """Decide on a handshake: let in who has one of the keys, under that key as his user id.

    libzmq asks in the right form; whatever has another is refused. Raises nothing.
    """
    version, request, domain, address, _routing_id, mechanism, *credentials = [*question, *[b""] * (6 - len(question))]
    key = ""
    if (version, domain, mechanism) == (_VERSION, ZAP_DOMAIN, b"CURVE") and list(map(len, credentials)) == [_KEY_BYTES]:
        key = z85.encode(credentials[0]).decode()
    is_let_in = bool(key) and key in keys
    if is_let_in:
        answer = [_VERSION, request, b"200", b"OK", key.encode(), b""]
    else:
        answer = [_VERSION, request, b"400", b"unknown key", b"", b""]
    return Verdict(answer, address.decode(errors="replace"), key, is_let_in)
