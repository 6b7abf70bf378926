"""A member of the crowd: one process with bare DEALERs, modest or not. Run as a child: `python -m perf.member`."""

import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]  # it has no annotations
import msgspec
import zmq

from perf.messages import CrowdOrder, CrowdRun, Word
from perf.request import request_header

FLOOD_IN_FLIGHT: Final = 512
"""Frames of a flooding one that are not answered yet: twice what the queue takes."""
SETTLE_S: Final = 5.0
"""How long replies are waited for in the end."""

Socket = zmq.Socket[bytes]


class Member:
    """Connections, and what they have in flight."""

    def __init__(self, context: zmq.Context[Socket], order: CrowdOrder) -> None:
        self._order = order
        self._payload = Path(order.picture_file).read_bytes()
        self._prefix = uuid.uuid4().hex[:8]
        self._sent_ns: dict[str, int] = {}
        self._sent = 0
        self._latency_us: list[int] = []
        self._refused_us: list[int] = []
        self._errors: Counter[str] = Counter()
        self._sockets: list[Socket] = []
        self._poller = zmq.Poller()
        for _ in range(order.connections):
            socket = context.socket(zmq.DEALER)
            socket.linger = 0
            if order.manner == "deaf":
                socket.rcvhwm = 1
            socket.connect(order.endpoint)
            self._sockets.append(socket)
            self._poller.register(socket, zmq.POLLIN)

    def run(self) -> CrowdRun:
        """Behave as ordered, and then take in what is still under way."""
        began_ns = time.perf_counter_ns()
        until_ns = began_ns + int(self._order.seconds * 1e9)
        if self._order.manner == "modest":
            self._send_by_the_clock(began_ns, until_ns)
        elif self._order.manner == "flooding":
            self._send_what_goes(until_ns, in_flight_max=FLOOD_IN_FLIGHT)
        elif self._order.manner == "deaf":
            self._send_what_goes(until_ns, in_flight_max=1 << 62)
        else:
            self._poller.poll(int(self._order.seconds * 1000))
        if self._order.manner != "deaf":
            settled_ns = time.perf_counter_ns() + int(SETTLE_S * 1e9)
            while self._sent_ns and (left_ns := settled_ns - time.perf_counter_ns()) > 0:
                self._receive(left_ns)
        return CrowdRun(self._sent, self._latency_us, self._refused_us, dict(self._errors), len(self._sent_ns))

    def close(self) -> None:
        """Leave."""
        for socket in self._sockets:
            socket.close()

    def _send_by_the_clock(self, due_ns: int, until_ns: int) -> None:
        interval_ns = int(1e9 / self._order.frames_per_second)
        while due_ns < until_ns:
            wait_ns = due_ns - time.perf_counter_ns()
            if wait_ns > 0:
                self._receive(wait_ns)
                continue
            self._send(self._sockets[self._sent % len(self._sockets)], due_ns)
            due_ns += interval_ns

    def _send_what_goes(self, until_ns: int, *, in_flight_max: int) -> None:
        while (now_ns := time.perf_counter_ns()) < until_ns:
            if len(self._sent_ns) < in_flight_max:
                try:
                    self._send(self._sockets[self._sent % len(self._sockets)], now_ns)
                except zmq.Again:
                    self._poller.poll(1)
            if self._order.manner != "deaf":
                self._receive(0 if len(self._sent_ns) < in_flight_max else until_ns - now_ns)

    def _send(self, socket: Socket, since_ns: int) -> None:
        request_id = f"{self._prefix}-{self._sent}"
        socket.send_multipart([request_header(request_id), self._payload], zmq.DONTWAIT, copy=False)
        self._sent += 1
        self._sent_ns[request_id] = since_ns

    def _receive(self, wait_ns: int) -> None:
        """Take the replies that come within a time."""
        for socket, _ in self._poller.poll(-(-wait_ns // 1_000_000)):
            while True:
                try:
                    header = socket.recv_multipart(zmq.DONTWAIT)[0]
                except zmq.Again:
                    break
                self._take(msgpack.unpackb(header))

    def _take(self, reply: dict[str, Any]) -> None:
        took_us = (time.perf_counter_ns() - self._sent_ns.pop(reply["id"])) // 1000
        if reply["status"] == "ok":
            self._latency_us.append(took_us)
        elif reply["error"]["code"] == "BUSY":
            self._refused_us.append(took_us)
        else:
            self._errors[reply["error"]["code"]] += 1


def main() -> None:
    """Take orders from stdin until it ends: connect, say so, and begin when told to."""
    with zmq.Context() as context:
        context.set(zmq.MAX_SOCKETS, 8192)
        for line in sys.stdin.buffer:
            member = Member(context, msgspec.json.decode(line, type=CrowdOrder))
            _say(Word("ready"))
            sys.stdin.buffer.readline()
            _say(member.run())
            member.close()


def _say(message: Word | CrowdRun) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
