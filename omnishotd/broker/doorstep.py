"""Doorstep: connections over TCP whose handshake is not done. They are few, and bring no more than a handshake takes.

libzmq takes messages of any length that is allowed before it knows a peer's key: without this, seventeen strangers with
64 MiB each would have the broker at its limit. It does not tell how far a handshake is. But the kernel tells how much
came and went, and before the daemon's last word to somebody with the right key not much goes.
"""

import contextlib
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Final

from ipc.sockets import HANDSHAKE_MS

INTERVAL_S: Final = 0.05
WAITING_MAX: Final = 256
"""Beyond, the one that has waited longest makes room: a handshake takes milliseconds."""
HANDSHAKE_BYTES_MAX: Final = 4096
"""What a peer has to say until it is in: greeting, HELLO, INITIATE with its routing id and other properties."""
ANSWERED_BYTES_MAX: Final = 270
"""What the daemon says until then: greeting (64), WELCOME (170), or ERROR (12) in the end; READY has 67 and more."""
_TRAFFIC: Final = struct.Struct("=QQ")
_TRAFFIC_OFFSET: Final = 120
"""Of tcpi_bytes_acked and tcpi_bytes_received in linux/tcp.h's struct tcp_info, since Linux 4.1."""


class Doorstep:
    """Watches connections from their first moment until they are in, or gone. Descriptors are libzmq's."""

    def __init__(self) -> None:
        self._waiting: dict[int, float] = {}
        """Until when each has to be in; the oldest first."""
        self._look_at_s = 0.0

    def arrived(self, descriptors: Sequence[int], now_s: float) -> int:
        """Take note of who came. Returns how many had to make room."""
        cut_off = 0
        for descriptor in descriptors:
            self._waiting.pop(descriptor, None)
            self._waiting[descriptor] = now_s + HANDSHAKE_MS / 1000
        while len(self._waiting) > WAITING_MAX:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            if _traffic(oldest)[0] <= ANSWERED_BYTES_MAX:
                _cut_off(oldest)
                cut_off += 1
        return cut_off

    def due_in_ms(self, now_s: float) -> int | None:
        """Return when `look` is to be called at the latest; None while nobody waits."""
        return max(0, int((self._look_at_s - now_s) * 1000) + 1) if self._waiting else None

    def look(self, now_s: float) -> int:
        """Cut off who brings too much. Returns how many those are."""
        if not self._waiting or now_s < self._look_at_s:
            return 0
        self._look_at_s = now_s + INTERVAL_S
        cut_off = 0
        for descriptor, until_s in list(self._waiting.items()):
            answered, came = _traffic(descriptor)
            if answered > ANSWERED_BYTES_MAX or now_s >= until_s:
                del self._waiting[descriptor]
            elif came > HANDSHAKE_BYTES_MAX:
                del self._waiting[descriptor]
                _cut_off(descriptor)
                cut_off += 1
        return cut_off


@contextlib.contextmanager
def _borrowed(descriptor: int) -> Iterator[socket.socket]:
    """Yield a connection of libzmq's. It may have closed it by now; then there is an OSError, or another connection."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, descriptor)
    try:
        yield connection
    finally:
        connection.detach()


def _traffic(descriptor: int) -> tuple[int, int]:
    """Return how many bytes a peer has acknowledged, and how many came of it. What is no TCP counts as answered."""
    try:
        with _borrowed(descriptor) as connection:
            told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TRAFFIC_OFFSET + _TRAFFIC.size)
    except OSError:
        return ANSWERED_BYTES_MAX + 1, 0
    answered, came = _TRAFFIC.unpack_from(told, _TRAFFIC_OFFSET)
    return answered, came


def _cut_off(descriptor: int) -> None:
    with contextlib.suppress(OSError), _borrowed(descriptor) as connection:
        connection.shutdown(socket.SHUT_RDWR)
