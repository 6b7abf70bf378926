"""A producer that sends by the clock, whatever becomes of its frames. Run as a child: `python -m perf.clocked`."""

import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]  # it has no annotations
import msgspec
import zmq

from perf.messages import ClockOrder, ClockRun, Word
from perf.work import QUALITY

SETTLE_S: Final = 30.0
"""How long replies are waited for in the end."""

Socket = zmq.Socket[bytes]


class ClockedProducer:
    """A connection, and what it has in flight."""

    def __init__(self, socket: Socket, order: ClockOrder) -> None:
        self._socket = socket
        self._order = order
        self._payload = Path(order.picture_file).read_bytes()
        resize = {"op": "resize", "width": order.side, "height": order.side, "kernel": "lanczos3"}
        self._outputs = [{"operations": [resize], "format": "jpeg", "quality": QUALITY, "subsampling": "420"}]
        self._prefix = uuid.uuid4().hex[:8]
        self._due_ns: dict[str, int] = {}
        self._latency_us: list[int] = []
        self._errors: Counter[str] = Counter()
        self._sent = 0
        self._kept_back = 0

    def run(self) -> ClockRun:
        """Send what is due until the time is over, and then take in what is still under way."""
        interval_ns = int(1e9 / self._order.frames_per_second)
        due_ns = time.perf_counter_ns()
        until_ns = due_ns + int(self._order.seconds * 1e9)
        while due_ns < until_ns:
            wait_ns = due_ns - time.perf_counter_ns()
            if wait_ns > 0:
                self._receive(wait_ns)
                continue
            if len(self._due_ns) < self._order.in_flight_max:
                self._send(due_ns)
            else:
                self._kept_back += 1
            due_ns += interval_ns
        settled_ns = time.perf_counter_ns() + int(SETTLE_S * 1e9)
        while self._due_ns and (left_ns := settled_ns - time.perf_counter_ns()) > 0:
            self._receive(left_ns)
        return ClockRun(self._latency_us, dict(self._errors), self._kept_back, len(self._due_ns))

    def _send(self, due_ns: int) -> None:
        self._sent += 1
        request_id = f"{self._prefix}-{self._sent}"
        header = msgpack.packb({"v": 1, "id": request_id, "client": self._order.client, "outputs": self._outputs})
        self._due_ns[request_id] = due_ns
        self._socket.send_multipart([header, self._payload], copy=False)

    def _receive(self, wait_ns: int) -> None:
        """Take the replies that come within a time."""
        # Rounded down: who wakes too early looks at the clock again.
        self._socket.poll(wait_ns // 1_000_000)
        while True:
            try:
                header = self._socket.recv_multipart(zmq.DONTWAIT)[0]
            except zmq.Again:
                return
            reply: dict[str, Any] = msgpack.unpackb(header)
            took_us = (time.perf_counter_ns() - self._due_ns.pop(reply["id"])) // 1000
            if reply["status"] == "ok":
                self._latency_us.append(took_us)
            else:
                self._errors[reply["error"]["code"]] += 1


def main() -> None:
    """Take orders from stdin until it ends: connect, say so, and begin when told to."""
    with zmq.Context() as context:
        for line in sys.stdin.buffer:
            order = msgspec.json.decode(line, type=ClockOrder)
            socket: Socket
            with context.socket(zmq.DEALER) as socket:
                socket.copy_threshold = 1 << 20
                socket.linger = 0
                socket.connect(order.endpoint)
                producer = ClockedProducer(socket, order)
                _say(Word("ready"))
                sys.stdin.buffer.readline()
                _say(producer.run())


def _say(message: Word | ClockRun) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
