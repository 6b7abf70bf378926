"""Intake of telemetry: one PULL socket that all processes push to, read from the event loop."""

import asyncio
import logging
import time
from typing import Final, Protocol

import msgspec
import zmq

from ipc.sockets import bind_telemetry
from ipc.telemetry import TELEMETRY_BYTES_MAX, Telemetry, decode_telemetry

BATCH_MAX: Final = 64
"""Messages read before the loop gets to serve requests again."""

log = logging.getLogger(__name__)


class Listener(Protocol):
    """Who is given what came; the observer."""

    malformed_count: int
    """Messages that could not be read."""

    def take(self, message: Telemetry, now_s: float) -> None:
        """Take one message."""


class Intake:
    """Reads telemetry and gives it to a listener. Raises `zmq.ZMQError` if the address cannot be had."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, listener: Listener) -> None:
        self._listener = listener
        self._socket = bind_telemetry(context, endpoint, TELEMETRY_BYTES_MAX)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read whenever there is something."""
        loop.add_reader(self._socket.FD, self._read, loop)
        # The descriptor tells of changes only: what came before we listened must be asked for.
        loop.call_soon(self._read, loop)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop reading and close."""
        loop.remove_reader(self._socket.FD)
        self._socket.close()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._socket.closed:
            return
        for _ in range(BATCH_MAX):
            try:
                parts = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                # ORDER: only after "again" will the descriptor speak up for the next message.
                return
            self._take(parts)
        loop.call_soon(self._read, loop)

    def _take(self, parts: list[bytes]) -> None:
        try:
            if len(parts) != 1:
                raise msgspec.ValidationError(f"telemetry has {len(parts)} parts, not 1")
            message = decode_telemetry(parts[0])
        except msgspec.MsgspecError as error:
            if not self._listener.malformed_count:
                log.warning("telemetry that cannot be read (told once): %s", error)
            self._listener.malformed_count += 1
            return
        self._listener.take(message, time.monotonic())
