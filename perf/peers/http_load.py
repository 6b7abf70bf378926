"""The HTTP producer: one process that keeps requests in flight over HTTP/1.1 connections that stay open.

It does what a client must do and no more, by hand over plain sockets: a message sent a frame, an answer read and held
against the first one. Run as a child: `python -m perf.peers.http_load`.
"""

import contextlib
import gc
import select
import sys
import time
from collections import deque
from pathlib import Path
from typing import Final

import msgspec

from perf.contender import Run
from perf.messages import Failed, Sample, Window, Word
from perf.peers.connection import Connection, LoadFailed
from perf.peers.loop import say
from perf.peers.messages import HttpOrder
from perf.tally import Tally

ANSWER_WITHIN_S: Final = 30.0
WARM_FRAMES_MIN: Final = 10
DUE_MAX: Final = 10_000
"""Frames that are due and have no connection yet. More: the server has not kept up for long."""


class Producer:
    """Connections, and who of them has something to do."""

    def __init__(self, order: HttpOrder, told: int) -> None:
        body = Path(order.source_file).read_bytes() if order.source_file else b""
        self._order = order
        self._told = told
        self._poll = select.epoll()
        self._poll.register(told, select.EPOLLIN)
        self._tally = Tally()
        self._first = b""
        self._connections: dict[int, Connection] = {}
        for number in range(order.in_flight):
            connection = Connection(order.addresses[number % len(order.addresses)], order.head, body)
            self._connections[connection.fileno()] = connection
            self._poll.register(connection, select.EPOLLIN)
        self._idle = deque(self._connections.values())
        self._due_ns: deque[int] = deque()
        self._next_ns = time.monotonic_ns()
        self._is_ready = False
        self._heard_ns = time.monotonic_ns()

    def run(self) -> Run:
        """Run warm, say so, go on until the window has passed, and take in what is under way. Raises `LoadFailed`."""
        while time.monotonic_ns() < self._tally.until_ns:
            self._send()
            self._receive(self._wait_s())
            if not self._is_ready and self._tally.frames_in_all >= max(WARM_FRAMES_MIN, 2 * self._order.in_flight):
                self._is_ready = True
                say(Word("ready"))
        while len(self._idle) < len(self._connections):
            self._receive(ANSWER_WITHIN_S)
        return self._tally.run([])

    def sample(self) -> bytes:
        """Ask once."""
        self._idle.popleft().ask(time.monotonic_ns())
        while not self._first:
            self._receive(ANSWER_WITHIN_S)
        return self._first

    def close(self) -> None:
        """Hang up."""
        self._poll.close()
        for connection in self._connections.values():
            connection.close()

    def _wait_s(self) -> float:
        """How long there is nothing to send: in a closed loop until an answer comes, else until the next is due."""
        if self._order.frames_per_second is None:
            return ANSWER_WITHIN_S
        return max(self._next_ns - time.monotonic_ns(), 0) / 1e9

    def _send(self) -> None:
        now_ns = time.monotonic_ns()
        if self._order.frames_per_second is None:
            while self._idle:
                self._idle.popleft().ask(now_ns)
            return
        while self._next_ns <= now_ns:
            self._due_ns.append(self._next_ns)
            self._next_ns += int(1e9 / self._order.frames_per_second)
        if len(self._due_ns) > DUE_MAX:
            raise LoadFailed(f"{DUE_MAX} frames wait for a connection: the server does not keep up")
        while self._idle and self._due_ns:
            self._idle.popleft().ask(self._due_ns.popleft())

    def _receive(self, within_s: float) -> None:
        if self._order.frames_per_second is not None:
            # epoll waits in whole milliseconds, select does not: nothing is to be sent late.
            select.select([self._poll.fileno()], [], [], within_s)
            within_s = 0
        events = self._poll.poll(within_s)
        now_ns = time.monotonic_ns()
        if not events:
            if now_ns - self._heard_ns > ANSWER_WITHIN_S * 1e9:
                raise LoadFailed(f"no answer within {ANSWER_WITHIN_S:.0f} s")
            return
        self._heard_ns = now_ns
        for number, _ in events:
            if number == self._told:
                line = sys.stdin.buffer.readline()
                if not line:
                    raise LoadFailed("nobody wants to know any more")
                self._tally.open(msgspec.json.decode(line, type=Window))
                continue
            connection = self._connections[number]
            if connection.read():
                self._tally.note(connection.since_ns, time.monotonic_ns())
                self._idle.append(connection)
                self._check(connection)

    def _check(self, connection: Connection) -> None:
        if not self._first:
            self._first = connection.picture
        elif not connection.is_same(self._first):
            raise LoadFailed("the server made two different pictures of the same one")


def main() -> None:
    """Take orders from stdin until it ends."""
    gc.disable()  # nothing that is made here refers to itself
    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=HttpOrder)
        try:
            with contextlib.closing(Producer(order, sys.stdin.fileno())) as producer:
                say(Sample(producer.sample()) if order.is_sample else producer.run())
        except (LoadFailed, OSError) as error:
            say(Failed(str(error)))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
