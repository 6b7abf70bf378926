"""Patience with a peer that does not read: it ends when nothing at all was taken for a while."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

STALL_S: Final = 10.0


class Patience:
    """Watches what waits to be sent on one connection, while the kernel takes no more of it.

    `send_buffer_bytes` bounds what the kernel takes, which is twice as much: what a slow reader costs, and how soon he
    is seen to be slow.
    """

    def __init__(self, transport: asyncio.Transport, send_buffer_bytes: int, give_up: Callable[[], None]) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        # Whatever the kernel does not take at once is a sign: the protocol is told to pause with the first byte.
        transport.set_write_buffer_limits(high=0)
        self._transport = transport
        self._give_up = give_up
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_tried(self) -> bool:
        """Whether something waits."""
        return self._timer is not None

    def begin(self) -> None:
        """Something waits."""
        if self._timer is None:
            self._watch()

    def end(self) -> None:
        """Nothing waits any more, or nobody."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self) -> None:
        waiting_bytes = self._transport.get_write_buffer_size()
        self._timer = asyncio.get_running_loop().call_later(STALL_S, self._look, waiting_bytes)

    def _look(self, waiting_bytes: int) -> None:
        if self._transport.get_write_buffer_size() < waiting_bytes:
            self._watch()
            return
        self._timer = None
        self._give_up()
