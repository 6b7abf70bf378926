"""The broker's process: two ROUTER sockets and one loop that carries messages to and from the `Flow`."""

import logging
import time
from collections import deque
from typing import Any, Final

import msgspec
import zmq

from ipc.arena import Arena
from ipc.causes import Cause
from ipc.channel import Channel
from ipc.examination import Examiner
from ipc.extents import ExtentAllocator
from ipc.heap import HeapGauge
from ipc.messages import (
    Batch,
    Drain,
    Drained,
    Examine,
    Hello,
    Kill,
    Start,
    Stop,
    ToBroker,
    ToChild,
    WorkerExpected,
    WorkerGone,
)
from ipc.sockets import bind_producers, bind_work
from ipc.telemetry import BrokerTelemetry, TelemetrySender
from omnishotd.broker.crew import Worker
from omnishotd.broker.figures import arena_figures, load_figures, owner_figures, producer_figures
from omnishotd.broker.flow import Flow
from omnishotd.broker.frame import Payload, Sender
from omnishotd.broker.producers import Producers

log = logging.getLogger(__name__)

MESSAGES_PER_TURN_MAX: Final = 64
"""Messages taken from one socket before the other, and the time, get their turn."""
MESSAGE_LIMIT_FACTOR: Final = 4
"""The socket takes more than a frame may have, so that TOO_LARGE can be said instead of a dropped connection."""
COPIED_BYTES_MAX: Final = 64 << 10
"""Parts below are cheaper to copy than to keep in ZeroMQ's messages."""
BACKLOG_RETRY_MS: Final = 5


class BrokerProcess:
    """Owner of the broker's sockets."""

    def __init__(self, start: Start, channel: Channel[ToChild], context: zmq.Context[zmq.Socket[bytes]]) -> None:
        settings = start.settings
        self._start = start
        self._channel = channel
        self._arena = Arena(start.arena_fd, start.arena_bytes)
        self._allocator = ExtentAllocator(start.arena_bytes)
        self._work = bind_work(context, start.work_endpoint, start.arena_bytes)
        self._door = bind_producers(
            context,
            settings.frames.endpoints,
            settings.frames.max_frame_bytes * MESSAGE_LIMIT_FACTOR,
            settings.frames.socket_mode,
        )
        self._producers = Producers(self._door)
        self.flow = Flow(settings, start.epoch, self._allocator, self._arena.write, self._producers.send)
        self._telemetry = TelemetrySender(context, start.telemetry_endpoint)
        self._canary_verdict = self.flow.canary.verdict
        self._heap = HeapGauge()
        self._examiner = Examiner(start.service, channel.send)
        self._reports: msgspec.msgpack.Decoder[ToBroker] = msgspec.msgpack.Decoder(ToBroker)
        self._encoder = msgspec.msgpack.Encoder()
        self._workers: dict[bytes, Worker] = {}
        self._orders: deque[ToChild] = deque()
        """Read, and to be obeyed within the same turn."""
        self._drain_until_us: int | None = None
        self._is_drained = False
        self._is_stopped = False
        self._poller = zmq.Poller()
        for source in (self._work, self._door, channel.fileno()):
            self._poller.register(source, zmq.POLLIN)

    def run(self) -> None:
        """Work until told to stop."""
        while not self._is_stopped:
            ready = dict(self._poller.poll(self._wait_ms()))
            now_us = time.monotonic_ns() // 1000
            if self._channel.fileno() in ready:
                self._read_orders()
            if self._work in ready:
                self._take_reports(now_us)
            self._obey(now_us)
            if self._door in ready:
                self._take_requests(now_us)
            for worker in self.flow.pass_time(now_us):
                self._channel.send(Kill(worker.incarnation, "over its time limit", Cause.TIME_LIMIT))
            self._give_work(now_us)
            if self._producers.has_backlog:
                self._producers.flush(now_us)
            self._finish_drain(now_us)
            self._tell(now_us / 1e6)

    def close(self) -> None:
        """Close the sockets; replies on their way get the door's linger."""
        self._telemetry.close()
        self._work.close()
        self._door.close()
        self._arena.close()

    def _wait_ms(self) -> int:
        """How long the loop may sleep."""
        if self._producers.has_backlog or self._drain_until_us is not None:
            return BACKLOG_RETRY_MS
        now_us = time.monotonic_ns() // 1000
        wait_ms = self._telemetry.due_in_ms(now_us / 1e6)
        next_us = self.flow.next_us()
        if next_us is not None:
            wait_ms = min(wait_ms, max(0, -(-(next_us - now_us) // 1000)))
        return wait_ms

    # ---- producers

    def _take_requests(self, now_us: int) -> None:
        for _ in range(MESSAGES_PER_TURN_MAX):
            try:
                parts = self._door.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            has_delimiter = len(parts) > 1 and not len(parts[1])
            sender = Sender(parts[0].bytes, has_delimiter)
            self.flow.receive(sender, [_content(part) for part in parts[1 + has_delimiter :]], now_us)

    # ---- workers

    def _give_work(self, now_us: int) -> None:
        self.flow.start_waiting(now_us)
        for worker, tasks in self.flow.assign(now_us):
            try:
                self._work.send_multipart([worker.identity, self._encoder.encode(Batch(tasks))], zmq.DONTWAIT)
            except zmq.ZMQError as error:
                # It is dying, or does not read: what it was given comes back with the proof of its death.
                log.warning("%s cannot be reached (%s)", worker.service, error)
                worker.is_condemned = True
                self._channel.send(Kill(worker.incarnation, "cannot be reached", Cause.UNREACHABLE))

    def _take_reports(self, now_us: int) -> None:
        for _ in range(MESSAGES_PER_TURN_MAX):
            try:
                parts = self._work.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            identity = parts[0].bytes
            try:
                self._take_report(identity, parts[1:], now_us)
            except (msgspec.MsgspecError, UnicodeDecodeError, IndexError) as error:
                self._distrust(identity, str(error))

    def _take_report(self, identity: bytes, parts: list[Any], now_us: int) -> None:
        message = self._reports.decode(parts[0].buffer)
        if isinstance(message, Hello):
            # ORDER: announced before it was started, so the announcement can be read by now. A hello of nobody would
            # be lost, and the worker with it.
            self._read_orders()
            worker = self.flow.hello(message.incarnation, identity, now_us)
            if worker is not None:
                self._workers[identity] = worker
            return
        known = self._workers.get(identity)
        if known is None:
            return
        first = 1
        for answer in message.answers:
            last = first + len(answer.encoded)
            self.flow.answered(known, answer, parts[first:last], now_us)
            first = last

    def _distrust(self, identity: bytes, what: str) -> None:
        """Have a worker killed that does not speak the protocol: its memory cannot be trusted."""
        worker = self._workers.get(identity)
        if worker is not None and not worker.is_condemned:
            log.error("%s said something that is no message: %s", worker.service, what)
            worker.is_condemned = True
            self._channel.send(Kill(worker.incarnation, "broke the protocol", Cause.PROTOCOL))

    # ---- supervisor

    def _read_orders(self) -> None:
        """Learn of new workers at once, and keep all else for `_obey`."""
        while (message := self._channel.receive()) is not None:
            if isinstance(message, WorkerExpected):
                self.flow.expect(message.incarnation, message.service, message.stages)
            else:
                self._orders.append(message)

    def _obey(self, now_us: int) -> None:
        while self._orders:
            message = self._orders.popleft()
            if isinstance(message, WorkerGone):
                # What it finished before it died is in the socket already: take that first, or it is done twice.
                self._take_reports(now_us)
                self._forget(message.incarnation)
                self.flow.gone(message.incarnation, message.reason, now_us)
            elif isinstance(message, Drain):
                self.flow.drain()
                self._drain_until_us = now_us + message.within_ms * 1000
            elif isinstance(message, Examine):
                self._examiner.take(message, now_us / 1e6)
            elif isinstance(message, Stop):
                self._is_stopped = True

    def _forget(self, incarnation: int) -> None:
        for identity in [key for key, worker in self._workers.items() if worker.incarnation == incarnation]:
            del self._workers[identity]

    def _finish_drain(self, now_us: int) -> None:
        if self._drain_until_us is None or self._is_drained:
            return
        unanswered = 0
        if not self.flow.is_idle and now_us >= self._drain_until_us:
            unanswered = self.flow.give_up_all(now_us)
        if self.flow.is_idle and (not self._producers.has_backlog or now_us >= self._drain_until_us):
            self._is_drained = True
            self._channel.send(Drained(unanswered))

    # ---- operators

    def _tell(self, now_s: float) -> None:
        """Send figures if they are due, and at once when canaries begin, or cease, to come back."""
        self._examiner.pass_time(now_s)
        if self.flow.canary.verdict is not self._canary_verdict:
            self._canary_verdict = self.flow.canary.verdict
            self._telemetry.hurry()
        self._telemetry.offer(self._figures, now_s)

    def _figures(self, sequence: int) -> BrokerTelemetry:
        flow = self.flow
        flow.check()
        account = flow.account
        now_s = time.monotonic()
        return BrokerTelemetry(
            service=self._start.service,
            incarnation=self._start.incarnation,
            epoch=self._start.epoch,
            sequence=sequence,
            at_s=now_s,
            frames=account.figures(
                queued=flow.schedule.count,
                queued_bytes=flow.schedule.bytes,
                replies_dropped=self._producers.dropped,
                stale_answers=flow.ledger.stale_answers,
                reply_bytes=self._producers.picture_bytes,
            ),
            errors={code.value: count for code, count in account.errors.items()},
            latency=account.latency.snapshot(),
            queue_latency=account.queue_latency.snapshot(),
            arena=arena_figures(self._allocator.figures()),
            workers=load_figures(self._workers.values()),
            is_draining=flow.is_draining,
            remembered_bytes=flow.remembered_bytes,
            queued_by_priority=flow.schedule.count_by_priority(),
            producers=producer_figures(flow.schedule.lines()),
            owners=owner_figures(flow.ledger.holders()),
            canary=flow.canary.figures(),
            events=flow.events.latest,
            heap=self._heap.figures(now_s),
        )


def _content(part: zmq.Frame) -> Payload:
    """Take a part out of its message; a large one stays where it is."""
    return part.bytes if len(part) < COPIED_BYTES_MAX else part.buffer.toreadonly()
