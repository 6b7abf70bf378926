"""Relays: workers' telemetry on its way to the control plane, of which they know nothing. Pure.

Workers decode hostile bytes, so each is believed about itself only.
"""

import contextlib
from collections.abc import Callable
from typing import Final

import zmq

from ipc.rates import RateLimiter
from ipc.telemetry import INTERVAL_S, WorkerTelemetry, decode_telemetry
from omnishotd.broker.crew import Worker

RELAY_BYTES_MAX: Final = 64 << 10
RELAYS_PER_SECOND_MAX: Final = 4 / INTERVAL_S
"""Of one worker: four times what it has to say."""
RELAYS_AT_ONCE_MAX: Final = 8


class Forged(Exception):
    """A worker spoke for another, or said what is no worker's to say."""


class Relays:
    """Passes telemetry on by `forward`, which raises zmq.Again where there is no room.

    What is too much for a worker's rate, or has no room, is lost: the next message says it again.
    """

    def __init__(self, epoch: str, forward: Callable[[bytes], None]) -> None:
        self._epoch = epoch
        self._forward = forward
        self._rates = RateLimiter(RELAYS_PER_SECOND_MAX, RELAYS_AT_ONCE_MAX)

    def take(self, worker: Worker, telemetry: bytes, now_us: int) -> None:
        """Pass on what a worker says of itself. Raises `Forged`, and msgspec.MsgspecError for what is no telemetry."""
        if len(telemetry) > RELAY_BYTES_MAX:
            raise Forged(f"telemetry of {len(telemetry)} bytes")
        if self._rates.retry_after_us(worker.identity, now_us):
            return
        told = decode_telemetry(telemetry)
        own = (worker.service, worker.incarnation, self._epoch)
        if not isinstance(told, WorkerTelemetry) or (told.service, told.incarnation, told.epoch) != own:
            raise Forged("telemetry that is not its own")
        with contextlib.suppress(zmq.Again):
            self._forward(telemetry)
