"""Recall: a request that is, byte for byte, one that came before on the same connection need not be read again.

Monitors ask the same thing for years. Parsing it and finding the way to its endpoint takes two thirds of the time of an
answer; what was read once, by h11, reads the same the second time. Who may ask is judged every time.
"""

from typing import Final

from starlette.types import Scope

from control.headers import Header, with_security
from control.snapshots import Snapshot, Snapshots

REQUEST_BYTES_MAX: Final = 4096
"""Longer ones are not kept."""
REQUESTS_MAX: Final = 4
"""That are kept of one connection: who asks for more things by turns is answered as if each was new."""

_NOT_SIMPLE: Final = frozenset(
    {b"connection", b"content-length", b"expect", b"origin", b"transfer-encoding", b"upgrade"}
)
"""Headers on which more depends than who asks."""


class Recall:
    """One connection's memory of its requests: their bytes, and what they mean."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._known: dict[bytes, Scope] = {}

    def learn(self, data: bytes, scope: Scope) -> None:
        """Keep a request that came as a whole, and alone, if it is one for a snapshot."""
        if len(data) > REQUEST_BYTES_MAX or scope["method"] != "GET" or scope["http_version"] != "1.1":
            return
        if self._snapshots.has(scope["path"]) and _NOT_SIMPLE.isdisjoint(name for name, _ in scope["headers"]):
            self._known[data] = scope
            if len(self._known) > REQUESTS_MAX:
                del self._known[next(iter(self._known))]

    def find(self, data: bytes) -> Scope | None:
        """What these bytes mean, if they are known."""
        return self._known.get(data)

    def answer(self, scope: Scope, default_headers: list[Header]) -> bytes:
        """The whole answer to a request that was found, as it is sent."""
        return written(self._snapshots.take(scope["path"]), default_headers)


def written(snapshot: Snapshot, default_headers: list[Header]) -> bytes:
    """Write an answer as HTTP/1.1, with the same headers as any other."""
    own = [(b"content-length", b"%d" % len(snapshot.body)), (b"content-type", b"application/json")]
    headers = [*default_headers, *with_security(own)]
    head = [b"HTTP/1.1 %d %s\r\n" % (snapshot.status, snapshot.status.phrase.encode())]
    head += [b"%s: %s\r\n" % header for header in headers]
    return b"".join([*head, b"\r\n", snapshot.body])
