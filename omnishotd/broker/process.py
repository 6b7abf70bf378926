"""The broker's process: one loop that carries messages between producers, workers, supervisor and the `Flow`."""

import logging
import time
from collections import deque
from typing import Any, Final

import zmq

from ipc.arena import Arena
from ipc.causes import Cause
from ipc.channel import Channel
from ipc.examination import Examiner
from ipc.extents import ExtentAllocator
from ipc.heap import HeapGauge
from ipc.lending import lending_path
from ipc.messages import (
    Beat,
    Drain,
    Drained,
    Examine,
    Kill,
    Poisoned,
    PoolFailed,
    Reconfigure,
    Retire,
    Retired,
    Start,
    Stop,
    ToChild,
    WorkerExpected,
    WorkerGone,
)
from ipc.sockets import bind_work
from ipc.telemetry import BrokerTelemetry, TelemetrySender
from ipc.upkeep import Upkeep
from omnishotd.broker.allowance import DESCRIPTORS_MAX
from omnishotd.broker.crew import Worker
from omnishotd.broker.cuts import find_cuts
from omnishotd.broker.door import Door
from omnishotd.broker.figures import arena_figures, load_figures, owner_figures, producer_figures
from omnishotd.broker.flow import Flow
from omnishotd.broker.frame import Payload
from omnishotd.broker.lender import Lender
from omnishotd.broker.overlays import load_overlays
from omnishotd.broker.pauses import Pauses
from omnishotd.broker.producers import Producers
from omnishotd.broker.relays import Relays
from omnishotd.broker.road import Road
from omnishotd.broker.segments import Segments
from omnishotd.broker.turnstile import Turnstile
from stages.limits import Limits

log = logging.getLogger(__name__)

REQUESTS_PER_TURN_MAX: Final = 64
"""Messages taken from producers before the workers, and the time, get their turn."""
REQUEST_BYTES_PER_TURN_MAX: Final = 32 << 20
"""As far as payloads are looked at, a turn takes some ten milliseconds at most."""
MESSAGE_LIMIT_FACTOR: Final = 4
"""The socket takes more than a frame may have, so that TOO_LARGE can be said instead of a dropped connection."""
COPIED_BYTES_MAX: Final = 64 << 10
"""Parts below are cheaper to copy than to keep in ZeroMQ's messages."""
BACKLOG_RETRY_MS: Final = 5
DOOR_PATIENCE_MS: Final = 5
"""While no frame could be started anyway, a request alone does not wake the broker: it is read with the next report, or
after this time."""
HOUSE_EVERY_US: Final = 2_000
"""What has times of its own, none of them shorter than some milliseconds, is not looked at more often."""
TELEMETRY_MARK: Final = 64
"""Messages that may wait for a collector: all workers' go through here."""


class BrokerProcess:
    """Owner of the broker's sockets."""

    def __init__(
        self,
        start: Start,
        channel: Channel[ToChild],
        context: zmq.Context[zmq.Socket[bytes]],
        descriptors_max: int = DESCRIPTORS_MAX,
    ) -> None:
        settings = start.settings
        self._start = start
        self._channel = channel
        self._arena = Arena(start.arena_fd, start.arena_bytes)
        self._allocator = ExtentAllocator(start.arena_bytes)
        # ORDER: workers come for lent segments as soon as they have found the frames' road.
        self._segments = Segments(settings.frames.lent_directory)
        path = lending_path(start.work_endpoint) if settings.frames.lent_directory else None
        self._lender = Lender(self._segments, path)
        self._work = bind_work(context, start.work_endpoint, start.arena_bytes)
        self._door = Door(context, settings.frames, settings.frames.max_frame_bytes * MESSAGE_LIMIT_FACTOR)
        self._turnstile = Turnstile(self._door.socket, settings.frames.endpoints, descriptors_max)
        self._producers = Producers(self._door.socket)
        self._limits = Limits(max_side=settings.frames.max_side, max_pixels=settings.frames.max_pixels)
        self._overlays = load_overlays(settings.overlays, self._limits)
        self.flow = Flow(
            settings,
            start.epoch,
            self._allocator,
            self._arena.write,
            self._producers.send,
            self._overlays,
            self._segments,
        )
        self._telemetry = TelemetrySender(context, start.telemetry_endpoint, mark=TELEMETRY_MARK)
        relays = Relays(start.epoch, self._telemetry.forward)
        self._road = Road(self._work, self.flow, relays, self._lender, self._kill, self._read_orders)
        self._canary_verdict = self.flow.canary.verdict
        self._told: object = None
        """What the figures that were told last are known by."""
        self._heap = HeapGauge()
        self._upkeep = Upkeep(self._arena)
        self._examiner = Examiner(start.service, channel.send)
        self._orders: deque[ToChild] = deque()
        """Read, and to be obeyed within the same turn."""
        self._pauses = Pauses()
        self._beat_every_us = settings.supervisor.beat_interval_ms * 1000
        self._beat_due_us = 0
        self._drain_until_us: int | None = None
        self._is_drained = False
        self._is_stopped = False
        sources = (self._work, self._turnstile.arrivals, self._door.questions, channel.fileno())
        self._poller = _poller_of(*sources, self._door.socket)
        self._poller_but_door = _poller_of(*sources)
        self._house_due_us = 0
        self._house_next_us = 0
        """When `_keep_house` has something to do, at the earliest."""

    def run(self) -> None:
        """Work until told to stop."""
        # Before whatever the first turn may take.
        self._beat(time.monotonic_ns() // 1000)
        wait_ms = 0
        looks_at_door = True
        while not self._is_stopped:
            if looks_at_door:
                ready = dict(self._poller.poll(wait_ms))
            else:
                ready = dict(self._poller_but_door.poll(min(wait_ms, DOOR_PATIENCE_MS)))
            now_us = time.monotonic_ns() // 1000
            self._excuse(self._pauses.gap_us(now_us))
            if self._channel.fileno() in ready:
                self._read_orders()
            if self._work in ready:
                self._road.take_reports(now_us)
            self._obey(now_us)
            if self._turnstile.arrivals in ready:
                self._door.arrived(self._turnstile.take_arrivals(now_us), now_us / 1e6)
            if not looks_at_door or self._door.socket in ready:
                self._take_requests(now_us)
            if self._door.questions in ready:
                self._door.answer_questions()
            for worker in self.flow.pass_time(now_us):
                self._kill(worker, "over its time limit", Cause.TIME_LIMIT)
            self.flow.start_waiting(now_us)
            self._road.give_work(now_us)
            for worker in self.flow.crew.retired():
                self._channel.send(Retired(worker.incarnation))
            if self._producers.has_backlog:
                self._producers.flush(now_us)
            if now_us >= self._house_due_us:
                self._keep_house(now_us)
            looks_at_door = not self.flow.lanes.is_at_capacity(now_us)
            wait_ms = self._wait_ms()
            self._pauses.expect(now_us, wait_ms)

    def close(self) -> None:
        """Close the sockets; replies on their way get the door's linger."""
        self._telemetry.close()
        self._work.close()
        self._lender.close()
        self._turnstile.close()
        self._door.close()
        self._arena.close()

    def _keep_house(self, now_us: int) -> None:
        """Do what has times of its own."""
        now_s = now_us / 1e6
        self._house_due_us = now_us + HOUSE_EVERY_US
        self._beat(now_us)
        self._turnstile.pass_time(now_us)
        self._door.pass_time(now_s)
        self._lender.pass_time(now_us)
        self._finish_drain(now_us)
        self._tell(now_s)
        next_us = min(self._beat_due_us, now_us + 1000 * self._telemetry.due_in_ms(now_s))
        door_ms = self._door.due_in_ms(now_s)
        if door_ms is not None:
            next_us = min(next_us, now_us + 1000 * door_ms)
        segments_us = self._segments.next_us()
        if segments_us is not None:
            next_us = min(next_us, segments_us)
        self._house_next_us = max(next_us, self._house_due_us)

    def _wait_ms(self) -> int:
        """How long the loop may sleep."""
        if self._producers.has_backlog or self._drain_until_us is not None:
            return BACKLOG_RETRY_MS
        next_us = self._house_next_us
        flow_us = self.flow.next_us()
        if flow_us is not None:
            next_us = min(next_us, flow_us)
        return max(0, -(-(next_us - time.monotonic_ns() // 1000) // 1000))

    def _excuse(self, gap_us: int) -> None:
        """Blame nobody for a time in which this loop stood still."""
        if gap_us:
            log.warning("its loop stood still for %.1f s; workers' time limits are put off by as much", gap_us / 1e6)
            self.flow.excuse(gap_us)
            self._producers.excuse(gap_us)

    # ---- producers

    def _take_requests(self, now_us: int) -> None:
        taken_bytes = -self._segments.read_bytes
        for _ in range(REQUESTS_PER_TURN_MAX):
            try:
                received = self._door.receive()
            except zmq.Again:
                return
            if received is not None:
                sender, parts = received
                self.flow.receive(sender, [_content(part) for part in parts], now_us)
                taken_bytes += sum(map(len, parts))
                if taken_bytes + self._segments.read_bytes > REQUEST_BYTES_PER_TURN_MAX:
                    return

    # ---- supervisor

    def _beat(self, now_us: int) -> None:
        """Show that the loop turns. A supervisor that does not read needs no more of it than lies there already."""
        if now_us < self._beat_due_us:
            return
        self._beat_due_us = now_us + self._beat_every_us
        if self._channel.wants_flush:
            self._channel.flush()
        else:
            self._channel.send(Beat())

    def _kill(self, worker: Worker, reason: str, cause: Cause) -> None:
        self._channel.send(Kill(worker.incarnation, reason, cause))

    def _read_orders(self) -> None:
        """Learn at once, in order, whether workers come or none comes any more, and keep all else for `_obey`."""
        while (message := self._channel.receive()) is not None:
            if isinstance(message, WorkerExpected):
                self.flow.expect(message.incarnation, message.service, message.stages)
            elif isinstance(message, PoolFailed):
                self.flow.pool_failed(message.pool)
            else:
                self._orders.append(message)

    def _obey(self, now_us: int) -> None:
        while self._orders:
            message = self._orders.popleft()
            if isinstance(message, WorkerGone):
                self._bury(message, now_us)
            elif isinstance(message, Retire):
                self.flow.crew.retire(message.incarnation)
            elif isinstance(message, Reconfigure):
                self._overlays = load_overlays(message.settings.overlays, self._limits, self._overlays)
                self.flow.reconfigure(message.settings, self._overlays)
                self._door.reconfigure(message.settings.frames)
            elif isinstance(message, Drain):
                self.flow.drain()
                self._drain_until_us = now_us + message.within_ms * 1000
            elif isinstance(message, Examine):
                self._examiner.take(message, now_us / 1e6)
            elif isinstance(message, Stop):
                self._is_stopped = True

    def _bury(self, message: WorkerGone, now_us: int) -> None:
        # What it finished before it died is in the socket already: take that first, or it is done twice.
        self._road.take_reports(now_us)
        self._road.forget(message.incarnation)
        dead = [worker for worker in self.flow.crew.workers() if worker.incarnation == message.incarnation]
        cuts = find_cuts(dead[0], message.signal) if dead else None
        if cuts is not None:
            self._channel.send(Poisoned([message.incarnation]))
        for frame in self.flow.gone(message.incarnation, message.reason, now_us, cuts):
            self._channel.send(Poisoned(list(frame.killed)))

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
        if not self.flow.is_idle:
            self._upkeep.worked(now_s)
        self._upkeep.pass_time(now_s)
        if self.flow.canary.verdict is not self._canary_verdict:
            self._canary_verdict = self.flow.canary.verdict
            self._telemetry.hurry()
        account = self.flow.account
        known_by = account.received, account.malformed, len(self._road.workers), self.flow.is_draining
        if known_by != self._told or not self.flow.is_idle:
            self._told = known_by
            self._telemetry.stir()
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
                backlog_bytes=self._producers.backlog_bytes,
            ),
            errors={code.value: count for code, count in account.errors.items()},
            latency=account.latency.snapshot(),
            queue_latency=account.queue_latency.snapshot(),
            arena=arena_figures(self._allocator.figures()),
            workers=load_figures(self._road.workers),
            is_draining=flow.is_draining,
            remembered_bytes=flow.remembered_bytes,
            queued_by_priority=flow.schedule.count_by_priority(),
            producers=producer_figures(flow.schedule.lines()),
            owners=owner_figures(flow.ledger.holders()),
            canary=flow.canary.figures(),
            events=flow.events.latest,
            heap=self._heap.figures(now_s),
            fusion=flow.ledger.fusion.figures(),
            lanes=flow.lanes.figures(int(now_s * 1e6)),
        )


def _content(part: zmq.Frame) -> Payload:
    """Take a part out of its message; a large one stays where it is."""
    return part.bytes if len(part) < COPIED_BYTES_MAX else part.buffer.toreadonly()


def _poller_of(*sources: Any) -> zmq.Poller:
    """Make a poller of those sources that there are."""
    poller = zmq.Poller()
    for source in sources:
        if source is not None:
            poller.register(source, zmq.POLLIN)
    return poller
