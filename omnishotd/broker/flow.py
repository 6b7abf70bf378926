"""Flow: all that happens to a frame between the producers' door and its reply, without sockets and without a clock.

`omnishotd.broker.process` brings the messages and the time; tests bring their own.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from ipc.errors import ErrorCode, FrameError
from ipc.events import EventKind, EventLog
from ipc.extents import ExtentAllocator
from ipc.messages import Answer, Extent, Fault, Task
from ipc.settings import Settings
from ipc.wire import Request, RequestRefused, decode_request
from omnishotd.broker.account import Account
from omnishotd.broker.admission import Admission, Admitted, Joined, Refused, request_key
from omnishotd.broker.canary import Canary
from omnishotd.broker.cost import Costs
from omnishotd.broker.crew import Assignment, Crew, Worker
from omnishotd.broker.cuts import Cuts
from omnishotd.broker.deadlines import NEVER_US, Deadlines
from omnishotd.broker.duplicates import DuplicateWindow
from omnishotd.broker.frame import IN_WORK, Frame, FrameState, InvariantError, Payload, Sender
from omnishotd.broker.info import about
from omnishotd.broker.lanes import Lanes
from omnishotd.broker.ledger import Ledger
from omnishotd.broker.loans import LoanLost
from omnishotd.broker.outcome import Outcome
from omnishotd.broker.overlays import Overlays
from omnishotd.broker.plan import Planner, compile_presets
from omnishotd.broker.quarantine import Quarantine
from omnishotd.broker.reloaded import reloaded
from omnishotd.broker.replies import Reply, error_reply, ok_reply
from omnishotd.broker.schedule import Schedule
from omnishotd.broker.segments import Segments

log = logging.getLogger(__name__)

INTERVAL_US_FIRST: Final = 5_000
"""Guess of the time between two finished frames, before any has finished."""

Send = Callable[[Sender, Reply, int], None]
"""Gives a reply to a sender, at a time. Never blocks."""


class Flow:
    """The broker's heart. One thread calls it, with a time that never goes back."""

    def __init__(
        self,
        settings: Settings,
        epoch: str,
        allocator: ExtentAllocator,
        write: Callable[[Extent, Payload], None],
        send: Send,
        overlays: Overlays | None = None,
        segments: Segments | None = None,
    ) -> None:
        pipeline = settings.pipeline
        self._settings = settings
        self._epoch = epoch
        self._send = send
        self._stage_timeout_us = pipeline.stage_timeout_ms * 1000
        self.schedule = Schedule(pipeline.queue_limit, pipeline.queue_max_bytes)
        self.crew = Crew(pipeline.pools)
        self.costs = Costs()
        self.ledger = Ledger(allocator, write, self.crew, pipeline.pools, pipeline.whole_frame_pixels_max, self.costs)
        self.account = Account()
        self.events = EventLog()
        self._pool_names = [pool.name for pool in pipeline.pools]
        trace_prefix = epoch[:6]
        self.canary = Canary(self._pool_names, self._stage_timeout_us, trace_prefix)
        self._window = DuplicateWindow()
        self._deadlines = Deadlines()
        self._allocator = allocator
        planner = Planner(settings.frames, compile_presets(settings.presets), overlays or {}, allocator)
        self._quarantine = Quarantine()
        self._admission = Admission(
            settings, self.schedule, self._window, self._quarantine, planner, trace_prefix, segments
        )
        self.lanes = Lanes(self.schedule, self.ledger, pipeline.max_concurrent_jobs)
        self._interval_us = INTERVAL_US_FIRST
        self._finished_us = 0
        self._look_at_us = NEVER_US
        """When `pass_time` has something to do, at the earliest."""

    # ---- from producers

    def receive(self, sender: Sender, parts: Sequence[Payload], now_us: int) -> None:
        """Take a message from a producer: its parts without the envelope. Answers, queues, or counts it."""
        if not parts:
            self.account.malformed += 1
            return
        try:
            request = decode_request(parts[0])
        except RequestRefused as refused:
            self._refuse(sender, refused.request_id, refused, now_us)
            return
        if request.op == "process":
            self._process(sender, request, parts[1:], now_us)
        elif request.op == "cancel":
            self._cancel(sender, request, now_us)
        else:
            self._send(sender, about(request, self._settings, self._epoch), now_us)

    def _process(self, sender: Sender, request: Request, payload: Sequence[Payload], now_us: int) -> None:
        request_id = request.id or ""
        for part in payload:
            self.account.payload_bytes += len(part)
        if len(payload) > 1:
            message = f"payload: {len(payload)} parts follow the header, 1 is taken"
            self._refuse(sender, request_id, FrameError(ErrorCode.BAD_REQUEST, message), now_us)
            return
        try:
            decision = self._admission.admit(
                sender, request, payload[0] if payload else None, now_us, self._interval_us
            )
        except FrameError as refused:
            self._refuse(sender, request_id, refused, now_us)
            return
        except Exception:
            # A fault of ours over bytes that anybody can send: it must not end the broker, and all others' frames with
            # it. Nothing was changed yet but the producer's rate.
            log.exception("a request could not be judged")
            fault = FrameError(ErrorCode.INTERNAL, "the daemon failed over this request; its log says how")
            self._refuse(sender, request_id, fault, now_us)
            return
        if isinstance(decision, Admitted):
            self._admit(decision, now_us)
        elif isinstance(decision, Joined):
            decision.frame.sender = sender
        else:
            self._send(sender, decision.reply, now_us)

    def _admit(self, admitted: Admitted, now_us: int) -> None:
        self.account.received += 1
        frame = admitted.frame
        self.costs.weigh(frame)
        self.lanes.submitted(frame, now_us)
        for victim in admitted.room.victims:
            message = f"gave way to a newer frame of its stream ({frame.request.on_full})"
            self._end(victim, Fault(ErrorCode.DROPPED, message), now_us)
        for victim in admitted.room.displaced:
            message = "the queue is full: gave way to a producer with fewer frames waiting"
            self._end(victim, Fault(ErrorCode.BUSY, message), now_us)
        if frame.request.lent is not None:
            self.account.payload_bytes += frame.request.lent.bytes
        if frame.loan is not None:
            frame.loan.hold()
        self._window.admit(frame)
        self.schedule.push(frame)
        self._deadlines.add(frame)
        self._look_at_us = min(self._look_at_us, frame.deadline_us)
        self.start_waiting(now_us)

    def _refuse(self, sender: Sender, request_id: str, error: FrameError, now_us: int) -> None:
        self.account.received += 1
        self.account.reject(error.code)
        retry_after_ms = error.retry_after_ms if isinstance(error, Refused) else None
        self._send(sender, error_reply(request_id, error.code, error.message, retry_after_ms), now_us)

    def _cancel(self, sender: Sender, request: Request, now_us: int) -> None:
        frame = self._window.in_flight(request_key(sender, request))
        if frame is not None:
            self._end(frame, Fault(ErrorCode.CANCELLED, "cancelled by its producer"), now_us)

    # ---- to and from workers

    def expect(self, incarnation: int, service: str, stages: list[str]) -> None:
        """Learn that the supervisor started a worker."""
        self.crew.expect(incarnation, service, self._pool_names.index("+".join(stages)))

    def pool_failed(self, pool: str) -> None:
        """Learn that the supervisor starts no more workers for a pool: what needs it is not kept waiting."""
        self.crew.fail(self._pool_names.index(pool))

    def hello(self, incarnation: int, identity: bytes, now_us: int) -> Worker | None:
        """Take in a worker that is ready for work. Returns None for one that the supervisor did not announce."""
        worker = self.crew.hello(incarnation, identity)
        if self.crew.is_staffed:
            self.canary.begin(now_us)
            self._look_at_us = min(self._look_at_us, self.canary.look_at_us)
        return worker

    def start_waiting(self, now_us: int) -> None:
        """Take a canary that is due, and waiting frames, into work, as far as jobs and arena allow."""
        while True:
            try:
                self._start_waiting(now_us)
            except LoanLost as lost:
                self._end(lost.frame, lost.fault, now_us)
            else:
                return

    def _start_waiting(self, now_us: int) -> None:
        if now_us >= self.canary.due_us:
            self._send_canary(now_us)
        recalled = self.ledger.start_again()
        if recalled is not None and not recalled.is_heavy:
            return
        self.lanes.begin(now_us, recalled)
        while (frame := self.lanes.next()) is not None:
            if not self.ledger.start(frame, self.lanes.kept_bytes):
                self.lanes.found_no_room(frame)
                continue
            self.lanes.started(frame)
            self.schedule.take(frame)
            frame.times.queue = now_us - frame.arrived_us
            self.account.start(frame.times.queue)

    def assign(self, now_us: int) -> list[tuple[Worker, list[Task]]]:
        """Give out what is ready: the tasks of one message for each of some workers."""
        for frame in dict.fromkeys(self.crew.stranded()):
            self._end(frame, Fault(ErrorCode.INTERNAL, "no worker is left that could finish it"), now_us)
        assignments = self.crew.assign(now_us, is_shared=self.lanes.is_shared(now_us))
        if assignments:
            self._look_at_us = min(self._look_at_us, now_us + self._stage_timeout_us + 1)
        return [(assignment.worker, self._tasks(assignment)) for assignment in assignments]

    def _tasks(self, assignment: Assignment) -> list[Task]:
        worker = assignment.worker
        return [
            Task(self.ledger.lease(job, worker), job.frame.trace, job.steps, job.frame.is_canary)
            for job in assignment.jobs
        ]

    def answered(self, worker: Worker, answer: Answer, parts: Sequence[Any], now_us: int) -> None:
        """Take one answer of a worker, with the parts of its message that belong to it."""
        outcome = self.ledger.answer(worker, answer, parts, now_us)
        if outcome is not None:
            self._conclude(outcome, now_us, was_in_work=True)
        if self.canary.frame is not None:
            self.canary.reached(self.ledger.pool_of(self.canary.frame), now_us)

    def gone(self, incarnation: int, reason: str, now_us: int, cuts: Cuts | None = None) -> list[Frame]:
        """Take the proof that a worker is dead: what it held is tried again, or given up. Returns what is poison.

        `cuts`: what it died of, if it was that.
        """
        worker = self.crew.gone(incarnation)
        if worker is None:
            return []
        poison: list[Frame] = []
        bereavement = self.ledger.gone(worker, reason, cuts)
        self.account.retried += len(bereavement.retried)
        for frame in bereavement.retried:
            log.warning("%s died (%s), its frame is tried again", worker.service, reason, extra={"trace": frame.trace})
        for outcome in bereavement.outcomes:
            self._conclude(outcome, now_us, was_in_work=True)
            if outcome.fault is not None and outcome.fault.code is ErrorCode.POISON:
                poison.append(outcome.frame)
                detail = f"{outcome.frame.trace}: {outcome.fault.message}, the last by {reason}"
                self.events.add(EventKind.QUARANTINED, worker.service, detail)
        return poison

    # ---- time and the end

    def pass_time(self, now_us: int) -> list[Worker]:
        """Answer frames whose time is over. Returns the workers that overran theirs: they are to be killed."""
        if now_us < self._look_at_us:
            return []
        for frame in self._deadlines.due(now_us):
            waited = frame.state is FrameState.WAITING
            message = "its deadline passed while it " + ("waited" if waited else "was in work")
            self._end(frame, Fault(ErrorCode.EXPIRED, message), now_us)
        overdue = self.crew.overdue(now_us, self._stage_timeout_us)
        for worker in overdue:
            message = f"{self._pool_names[worker.pool]} took longer than {self._stage_timeout_us // 1000} ms"
            outcome = self.ledger.time_out(worker, Fault(ErrorCode.TIMEOUT, message))
            if outcome is not None:
                self._conclude(outcome, now_us, was_in_work=True)
        self._tend_canary(now_us)
        times = [worker.since_us + self._stage_timeout_us + 1 for worker in self.crew.busy()]
        deadline_us = self._deadlines.next_us()
        canary_us = self.canary.look_at_us
        self._look_at_us = min(NEVER_US if deadline_us is None else deadline_us, canary_us, *times, NEVER_US)
        return overdue

    def excuse(self, gap_us: int) -> None:
        """Leave a time in which the loop stood still out of what workers may take. Producers' deadlines stand."""
        self.crew.excuse(gap_us)
        self.canary.excuse(gap_us)

    def next_us(self) -> int | None:
        """Return when `pass_time` is to be called at the latest, or None when nothing waits for time."""
        return None if self._look_at_us == NEVER_US else self._look_at_us

    @property
    def remembered_bytes(self) -> int:
        """What replies that may be asked for again take, about."""
        return self._window.remembered_bytes

    def reconfigure(self, settings: Settings, overlays: Overlays | None = None) -> None:
        """Take over what can be changed while frames are in flight; all else stays as it was at the start."""
        self._settings = reloaded(self._settings, settings)
        planner = Planner(self._settings.frames, compile_presets(settings.presets), overlays or {}, self._allocator)
        self._admission.reconfigure(self._settings, planner)

    def drain(self) -> None:
        """Take no new frames from now on."""
        self._admission.is_draining = True
        self.canary.stop()

    @property
    def is_draining(self) -> bool:
        """Whether no new frames are taken."""
        return self._admission.is_draining

    @property
    def is_idle(self) -> bool:
        """Whether every admitted frame has been answered; nobody waits for a canary."""
        return not self.schedule.count and not self.account.in_flight

    def give_up_all(self, now_us: int) -> int:
        """Answer all frames that are left, at the end of the time for draining. Returns how many."""
        frames = self._window.all_in_flight()
        for frame in frames:
            self._end(frame, Fault(ErrorCode.SHUTTING_DOWN, "the daemon stopped before it was done"), now_us)
        return len(frames)

    def _end(self, frame: Frame, fault: Fault, now_us: int) -> None:
        """End a frame from outside its work."""
        was_in_work = frame.state in IN_WORK
        if frame.state is FrameState.WAITING:
            self.schedule.remove(frame)
        self._conclude(self.ledger.give_up(frame, fault), now_us, was_in_work=was_in_work)

    def _conclude(self, outcome: Outcome, now_us: int, *, was_in_work: bool) -> None:
        """Give a frame its one reply. The only place that does."""
        frame, fault = outcome.frame, outcome.fault
        if frame.is_canary:
            self._conclude_canary(outcome, now_us)
            return
        if fault is None:
            reply = ok_reply(frame, now_us)
            self.account.complete(now_us - frame.arrived_us)
            self._learn_interval(now_us)
        else:
            is_busy = fault.code is ErrorCode.BUSY
            retry_after_ms = self._admission.retry_after_ms(self._interval_us) if is_busy else None
            reply = error_reply(frame.key.request_id, fault.code, fault.message, retry_after_ms)
            self.account.fail(fault.code, was_in_work=was_in_work)
            if fault.code is ErrorCode.POISON:
                self._quarantine.add(frame.payload_digest, now_us)
            log.log(self._level_of(fault.code), "%s: %s", fault.code, fault.message, extra={"trace": frame.trace})
        self._window.close(frame, reply, fault.code if fault else None, now_us)
        self._deadlines.finished()
        self._send(frame.sender, reply, now_us)
        frame.payload = b""
        frame.parts = []

    def _level_of(self, code: ErrorCode) -> int:
        """Say how loud an error is. What comes in floods is not told frame by frame."""
        if code is ErrorCode.BUSY:
            return logging.DEBUG
        return logging.ERROR if code is ErrorCode.INTERNAL and not self.crew.is_broken else logging.INFO

    def _learn_interval(self, now_us: int) -> None:
        """Follow the time between finished frames; idle time does not count for more than a second."""
        if self._finished_us:
            self._interval_us += (min(now_us - self._finished_us, 1_000_000) - self._interval_us) // 16
        self._finished_us = now_us

    def check(self) -> None:
        """Hold the account against the truth. Raises `InvariantError`."""
        account = self.account
        ended = account.completed + account.failed + account.rejected + account.cancelled
        if account.received != ended + account.in_flight + self.schedule.count:
            raise InvariantError(f"frames do not add up: {account.received} received, {ended} ended")

    # ---- canaries

    def _send_canary(self, now_us: int) -> None:
        """Take a canary into work, past the queue and its limits; without room it stays due."""
        frame = self.canary.make(now_us)
        if self.ledger.start(frame):
            self.canary.sent(frame, now_us)
        else:
            self.canary.found_no_room()
        self._look_at_us = min(self._look_at_us, self.canary.look_at_us)

    def _tend_canary(self, now_us: int) -> None:
        """Give up a canary that is under way for too long, and send one that is due."""
        frame, fault = self.canary.frame, self.canary.lateness(now_us)
        if frame is not None and fault is not None:
            self._conclude_canary(self.ledger.give_up(frame, fault), now_us)
        if now_us >= self.canary.due_us:
            self._send_canary(now_us)

    def _conclude_canary(self, outcome: Outcome, now_us: int) -> None:
        if outcome.fault is None:
            self.ledger.fusion.passed(outcome.frame, now_us)
        before = self.canary.verdict
        self.canary.conclude(outcome.fault, now_us)
        self._look_at_us = min(self._look_at_us, self.canary.look_at_us)
        if self.canary.verdict is not before:
            level = logging.INFO if self.canary.verdict else logging.WARNING
            log.log(level, "canary: %s", self.canary.fault or "passed", extra={"trace": outcome.frame.trace})
