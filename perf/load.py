"""The producer: one process with one connection that keeps a number of frames in flight, or sends by the clock.

It does for a frame what has to be done and no more: an id is written into a message that is ready, the message is sent
from where it lies, and the reply is looked at. Run as a child: `python -m perf.load`.
"""

import gc
import select
import sys
import time
from pathlib import Path
from typing import Any, Final, TextIO

import msgpack  # type: ignore[import-untyped]  # it has no annotations
import msgspec

from perf.contender import Run
from perf.dealer import ConnectionFailed, Dealer
from perf.message import ID_CHARACTERS, Message
from perf.messages import Failed, LoadOrder, Sample, Window, Word
from perf.request import with_keys
from perf.segment import lend
from perf.tally import Tally

WARM_FRAMES_MIN: Final = 10
IN_FLIGHT_MAX: Final = 100_000
"""Frames sent by the clock that are not answered yet. More: the daemon has not kept up for long."""

_OK: Final = b"\xa6status\xa2ok"
_ID: Final = b"\xa2id" + bytes([0xA0 | ID_CHARACTERS])


class LoadFailed(Exception):
    """The daemon answered with an error, or did not keep up."""


class Producer:
    """A connection, and the frames it has in flight."""

    def __init__(self, dealer: Dealer, messages: list[Message]) -> None:
        self._dealer = dealer
        self._messages = messages
        self._sent_ns: list[int] = []
        """By number, from 0."""
        self._answered = 0
        self._inside: list[bytes] = []
        self.tally = Tally()
        self.picture = memoryview(b"")
        """Of the last reply, until the next one is received."""

    @property
    def in_flight(self) -> int:
        """Frames that are not answered yet."""
        return len(self._sent_ns) - self._answered

    def send(self, since_ns: int) -> None:
        """Submit one more frame, whose latency counts from `since_ns`."""
        number = len(self._sent_ns)
        self._sent_ns.append(since_ns)
        message = self._messages[number % len(self._messages)]
        message.number(number)
        self._dealer.send(message.buffers, message.bytes)

    def receive(self) -> int:
        """Wait for a reply, and return when it came. Raises `LoadFailed`, `ConnectionFailed`."""
        header, self.picture = self._dealer.receive()
        now_ns = time.monotonic_ns()
        self._answered += 1
        if _OK not in header:
            raise LoadFailed(_complaint(header))
        at = header.find(_ID) + len(_ID)
        if self.tally.note(self._sent_ns[int(header[at : at + ID_CHARACTERS], 16)], now_ns):
            self._inside.append(header)
        return now_ns

    def run(self, in_flight: int) -> Run:
        """Fill the pipe, run warm, say so, and go on until the window has passed; then take in what is under way."""
        for _ in range(in_flight):
            self.send(time.monotonic_ns())
        for _ in range(max(WARM_FRAMES_MIN, in_flight)):
            self.send(self.receive())
        _say(Word("ready"))
        while not _is_told():
            self.send(self.receive())
        self.tally.open(_window())
        until_ns = self.tally.until_ns
        while (now_ns := self.receive()) < until_ns:
            self.send(now_ns)
        return self._settled()

    def run_by_the_clock(self, frames_per_second: float) -> Run:
        """The same with frames that are sent when they are due."""
        interval_ns = int(1e9 / frames_per_second)
        due_ns = time.monotonic_ns()
        heard: list[Dealer | TextIO] = [self._dealer]
        while (now_ns := time.monotonic_ns()) < self.tally.until_ns:
            if due_ns <= now_ns:  # one at a time: replies are taken in between, however late it is
                self.send(due_ns)
                due_ns += interval_ns
            if self.in_flight > IN_FLIGHT_MAX:
                raise LoadFailed(f"{IN_FLIGHT_MAX} frames are not answered: the daemon does not keep up")
            wait_s = max(due_ns - now_ns, 0) / 1e9
            come = heard[:1] if self._dealer.is_waiting else select.select(heard, [], [], wait_s)[0]
            if self._dealer in come:
                self.receive()
                if self._answered == WARM_FRAMES_MIN:
                    _say(Word("ready"))
                    heard.append(sys.stdin)
            if sys.stdin in come:
                self.tally.open(_window())
                heard.pop()
        return self._settled()

    def let_go(self) -> None:
        """Wait until the daemon is through with all, whatever became of it: who is next does not find it busy."""
        while self.in_flight:
            self._dealer.receive()
            self._answered += 1

    def _settled(self) -> Run:
        while self.in_flight:
            self.receive()
        return self.tally.run([msgpack.unpackb(header)["timing_us"]["total"] for header in self._inside])


def _complaint(header: bytes) -> str:
    reply: dict[str, Any] = msgpack.unpackb(header)
    error = reply.get("error", {})
    return f"the daemon answered {error.get('code')}: {error.get('message')}"


def _is_told() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])


def _window() -> Window:
    return msgspec.json.decode(sys.stdin.buffer.readline(), type=Window)


def obey(order: LoadOrder) -> Run | Sample:
    """Do what was ordered. Raises `LoadFailed`, `ConnectionFailed`, OSError."""
    source = Path(order.source_file).read_bytes()
    request = with_keys(order.request, id="0" * ID_CHARACTERS)
    with Dealer(order.path) as dealer, lend(source, is_lent=order.is_lent) as pieces:
        lent = [Message(with_keys(request, lent=piece.to_map())) for piece in pieces]
        producer = Producer(dealer, lent or [Message(request, source)])
        try:
            if order.is_sample:
                producer.send(time.monotonic_ns())
                producer.receive()
                return Sample(bytes(producer.picture))
            if order.frames_per_second is None:
                return producer.run(order.in_flight)
            return producer.run_by_the_clock(order.frames_per_second)
        except LoadFailed:
            producer.let_go()
            raise


def main() -> None:
    """Take orders from stdin until it ends."""
    gc.disable()  # nothing that is made here refers to itself
    for line in sys.stdin.buffer:
        try:
            _say(obey(msgspec.json.decode(line, type=LoadOrder)))
        except (LoadFailed, ConnectionFailed, OSError) as error:
            _say(Failed(str(error)))


def _say(message: Word | Run | Sample | Failed) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
