"""The producer: one process with a bare DEALER that keeps a number of frames in flight.

It does what a client must do and no more: a header packed and a message sent a frame, a reply read and unpacked. Run as
a child: `python -m perf.load`.
"""

import hashlib
import sys
import time
import uuid
from pathlib import Path
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]  # it has no annotations
import msgspec
import zmq

from perf.messages import LoadOrder, Run
from perf.request import request_header

REPLY_WITHIN_MS: Final = 30_000
WARM_FRAMES_MIN: Final = 10

Socket = zmq.Socket[bytes]


class LoadFailed(Exception):
    """The daemon did not answer, or answered with an error."""


class Producer:
    """A connection, and the frames it has in flight."""

    def __init__(self, socket: Socket, payload: bytes) -> None:
        self._socket = socket
        self._payload = payload
        self._prefix = uuid.uuid4().hex[:8]
        self._sent = 0
        self._sent_ns: dict[str, int] = {}
        self.latency_us: list[int] = []
        self.inside_us: list[int] = []
        self.picture = b""

    def send(self) -> None:
        """Submit one more frame."""
        self._sent += 1
        request_id = f"{self._prefix}-{self._sent}"
        self._sent_ns[request_id] = time.perf_counter_ns()
        self._socket.send_multipart([request_header(request_id), self._payload], copy=False)

    def receive(self) -> int:
        """Wait for a reply and note its times. Returns when it came. Raises `LoadFailed`."""
        try:
            header, *pictures = self._socket.recv_multipart()
        except zmq.Again:
            raise LoadFailed(f"no reply within {REPLY_WITHIN_MS // 1000} s") from None
        now_ns = time.perf_counter_ns()
        reply: dict[str, Any] = msgpack.unpackb(header)
        if reply["status"] != "ok":
            raise LoadFailed(f"the daemon answered {reply['error']['code']}: {reply['error']['message']}")
        self.picture = pictures[0]
        self.latency_us.append((now_ns - self._sent_ns.pop(reply["id"])) // 1000)
        self.inside_us.append(reply["timing_us"]["total"])
        return now_ns

    def forget(self) -> None:
        """Begin the account anew; frames in flight stay so."""
        self.latency_us = []
        self.inside_us = []


def measure(socket: Socket, payload: bytes, in_flight: int, seconds: float) -> Run:
    """Fill the pipe, let it run warm, measure for `seconds`, and take in what is still under way."""
    producer = Producer(socket, payload)
    for _ in range(in_flight):
        producer.send()
    for _ in range(max(WARM_FRAMES_MIN, 2 * in_flight)):
        producer.receive()
        producer.send()
    producer.forget()
    began_ns = now_ns = time.perf_counter_ns()
    until_ns = began_ns + int(seconds * 1e9)
    while now_ns < until_ns:
        now_ns = producer.receive()
        producer.send()
    latency_us, inside_us = producer.latency_us, producer.inside_us
    producer.forget()
    for _ in range(in_flight):
        producer.receive()
    return Run(
        frames=len(latency_us),
        frames_per_second=len(latency_us) / ((now_ns - began_ns) / 1e9),
        latency_us=latency_us,
        inside_us=inside_us,
        picture_sha256=hashlib.sha256(producer.picture).hexdigest(),
    )


def main() -> None:
    """Take orders from stdin until it ends."""
    with zmq.Context() as context:
        for line in sys.stdin.buffer:
            order = msgspec.json.decode(line, type=LoadOrder)
            socket: Socket
            with context.socket(zmq.DEALER) as socket:
                socket.copy_threshold = 1 << 20
                socket.linger = 0
                socket.rcvtimeo = REPLY_WITHIN_MS
                socket.connect(order.endpoint)
                run = measure(socket, Path(order.picture_file).read_bytes(), order.in_flight, order.seconds)
            sys.stdout.buffer.write(msgspec.json.encode(run) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
