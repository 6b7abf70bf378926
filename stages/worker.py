"""The one loop that every stage worker runs, whatever list of neighbouring stages it was given.

A worker knows the arena, its tasks and nothing else: no producer, no queue, no other worker. It works on one message at
a time and speaks only between tasks, so that a worker that is stuck is seen to be silent.
"""

import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import zmq

from ipc.arena import Arena
from ipc.channel import Channel, ChannelClosed
from ipc.child import begin
from ipc.errors import ErrorCode, FrameError
from ipc.examination import Examiner
from ipc.heap import HeapGauge
from ipc.histogram import Histogram
from ipc.messages import (
    Answer,
    Batch,
    Decode,
    Encoded,
    Examine,
    Fault,
    Hello,
    Ready,
    Report,
    Start,
    Step,
    Stop,
    Task,
    ToChild,
    Transform,
)
from ipc.posture import posture
from ipc.sockets import connect_work, make_context
from ipc.stage import Stage
from ipc.telemetry import StageFigures, TelemetrySender, WorkerTelemetry
from stages import decode, encode, transform

log = logging.getLogger(__name__)

HOLD_US_MAX: Final = 5_000
"""Answers are sent together as long as the first of them has not waited longer than this."""

_WARM: Final[Mapping[Stage, Callable[[], None]]] = {
    Stage.DECODE: decode.warm,
    Stage.TRANSFORM: transform.warm,
    Stage.ENCODE: encode.warm,
}
"""Loads a stage's libraries, so that the first frame does not wait for them."""


class _StageAccount:
    """Counts of one stage since this worker began."""

    def __init__(self) -> None:
        self.completed = 0
        self.failed = 0
        self.busy_us = 0
        self.latency = Histogram()

    def figures(self) -> StageFigures:
        return StageFigures(self.completed, self.failed, self.busy_us, self.latency.snapshot())


class Worker:
    """A stage worker's loop."""

    def __init__(self, start: Start, channel: Channel[ToChild], context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._start = start
        self._channel = channel
        self._arena = Arena(start.arena_fd, start.arena_bytes)
        self._socket = connect_work(context, start.work_endpoint, start.incarnation)
        self._telemetry = TelemetrySender(context, start.telemetry_endpoint)
        self._encoder = msgspec.msgpack.Encoder()
        self._batches: msgspec.msgpack.Decoder[Batch] = msgspec.msgpack.Decoder(Batch)
        self._accounts = {stage: _StageAccount() for stage in stages_of(start)}
        # Where canaries are counted: nowhere that is told.
        self._canary_accounts = {stage: _StageAccount() for stage in self._accounts}
        self._tasks = 0
        self._heap = HeapGauge()
        self._examiner = Examiner(start.service, channel.send)
        self._answers: list[Answer] = []
        self._parts: list[bytes] = []
        self._is_stopped = False
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(channel.fileno(), zmq.POLLIN)

    def run(self) -> None:
        """Say hello and work until told to stop."""
        self._socket.send(self._encoder.encode(Hello(self._start.incarnation, self._start.stages)))
        while not self._is_stopped:
            ready = dict(self._poller.poll(self._telemetry.due_in_ms(time.monotonic())))
            if self._channel.fileno() in ready:
                self._take_orders()
            if self._socket in ready:
                self._work_on(self._batches.decode(self._socket.recv()))
            now_s = time.monotonic()
            self._telemetry.offer(self._figures, now_s)
            self._examiner.pass_time(now_s)

    def close(self) -> None:
        """Close sockets and unmap the arena."""
        self._telemetry.close()
        self._socket.close()
        self._arena.close()

    def _take_orders(self) -> None:
        while (message := self._channel.receive()) is not None:
            if isinstance(message, Stop):
                self._is_stopped = True
            elif isinstance(message, Examine):
                self._examiner.take(message, time.monotonic())

    def _work_on(self, batch: Batch) -> None:
        held_since_us = 0
        for task in batch.tasks:
            if self._answers and time.monotonic_ns() // 1000 - held_since_us > HOLD_US_MAX:
                self._report()
            self._do(task)
            if len(self._answers) == 1:
                held_since_us = time.monotonic_ns() // 1000
        self._report()

    def _report(self) -> None:
        self._socket.send_multipart([self._encoder.encode(Report(self._answers)), *self._parts], copy=False)
        self._answers = []
        self._parts = []

    def _do(self, task: Task) -> None:
        """Run a task's steps. Whatever a step raises ends this task alone."""
        self._tasks += not task.is_canary
        accounts = self._canary_accounts if task.is_canary else self._accounts
        step_us: list[int] = []
        encoded: list[Encoded] = []
        parts: list[bytes] = []
        fault = None
        for step in task.steps:
            stage = _stage_of(step)
            account = accounts[stage]
            began_ns = time.monotonic_ns()
            try:
                self._run(step, encoded, parts)
            except FrameError as error:
                fault = Fault(error.code, error.message)
            except Exception:
                log.exception("%s failed", stage, extra={"trace": task.trace})
                fault = Fault(ErrorCode.INTERNAL, f"{stage} failed; the daemon's log has it under {task.trace}")
            took_us = (time.monotonic_ns() - began_ns) // 1000
            account.busy_us += took_us
            if fault is not None:
                account.failed += 1
                encoded, parts = [], []
                break
            account.completed += 1
            account.latency.record(took_us)
            step_us.append(took_us)
        self._answers.append(Answer(task.lease, step_us, encoded, fault))
        self._parts.extend(parts)

    def _run(self, step: Step, encoded: list[Encoded], parts: list[bytes]) -> None:
        if isinstance(step, Decode):
            decode.decode(step, self._arena.view)
        elif isinstance(step, Transform):
            transform.transform(step, self._arena.view)
        else:
            picture = encode.encode(step, self._arena.view)
            encoded.append(picture.encoded)
            parts.append(picture.data)

    def _figures(self, sequence: int) -> WorkerTelemetry:
        now_s = time.monotonic()
        return WorkerTelemetry(
            service=self._start.service,
            incarnation=self._start.incarnation,
            epoch=self._start.epoch,
            sequence=sequence,
            at_s=now_s,
            stages={stage.value: account.figures() for stage, account in self._accounts.items()},
            tasks=self._tasks,
            heap=self._heap.figures(now_s),
            posture=posture(),
        )


def _stage_of(step: Step) -> Stage:
    if isinstance(step, Decode):
        return Stage.DECODE
    return Stage.TRANSFORM if isinstance(step, Transform) else Stage.ENCODE


def stages_of(start: Start) -> list[Stage]:
    """List the stages that this worker may be asked to run."""
    pipeline = start.settings.pipeline
    return next(pipeline.stages_run_by(pool) for pool in pipeline.pools if pool.stages == start.stages)


def main() -> None:
    """Work until the supervisor says stop, or is gone."""
    child = begin(sys.argv)
    for stage in stages_of(child.start):
        _WARM[stage]()
    # Turns at the processor are fewer and longer: a worker interrupted in mid-picture finds its cache cold. Asked for
    # before there are other threads, which get the same.
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    with make_context() as context:
        worker = Worker(child.start, child.channel, context)
        # What was made so far lives as long as the process: the collector need not walk it again and again.
        gc.freeze()
        child.channel.send(Ready())
        try:
            worker.run()
        except ChannelClosed:
            pass
        finally:
            worker.close()


if __name__ == "__main__":
    main()
