"""The one loop that every stage worker runs, whatever list of neighbouring stages it was given.

A worker knows the arena, its tasks and nothing else: no producer, no queue, no other worker. It works on one message at
a time and speaks only between tasks, so that a worker that is stuck is seen to be silent.
"""

import contextlib
import gc
import logging
import os
import select
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import zmq

from ipc.arena import Arena
from ipc.channel import Channel, ChannelClosed
from ipc.child import Child, begin, leave
from ipc.errors import ErrorCode, FrameError
from ipc.examination import Examiner
from ipc.heap import HeapGauge
from ipc.lending import LendingEnd, NothingArrived, lending_path, mapped_bytes_max
from ipc.messages import (
    Answer,
    Batch,
    Decode,
    Encode,
    Encoded,
    Examine,
    Fault,
    Hello,
    Ready,
    Relay,
    Report,
    Start,
    Step,
    Stop,
    Task,
    ToChild,
    Transform,
    Unable,
    Worn,
)
from ipc.pixels import Geometry
from ipc.sockets import make_context
from ipc.stage import Stage
from ipc.telemetry import Posture, TelemetryPacer, WorkerTelemetry
from ipc.tether import Tether
from ipc.upkeep import Upkeep
from stages import decode, encode, transform
from stages.account import StageAccount
from stages.borrowed import Borrowed
from stages.ground import Ground
from stages.limits import Limits
from stages.rehearsal import rehearse
from stages.sandbox import EXIT_REQUIRED, Sandbox
from stages.shortage import is_shortage
from stages.wear import Wear

log = logging.getLogger(__name__)

HOLD_US_MAX: Final = 5_000
"""Answers are sent together as long as the first of them has not waited longer than this."""
NICENESS: Final = 5
"""Of those who work on heavy frames: who has light ones gets three times as much of a processor."""
LOST_GRACE_S: Final = 1.0
"""A worker without its broker waits so long for the supervisor's word."""
EXIT_LOST: Final = 69
"""EX_UNAVAILABLE: the broker is not there any more."""

_WARM: Final[Mapping[Stage, Callable[[], None]]] = {
    Stage.DECODE: decode.warm,
    Stage.TRANSFORM: transform.warm,
    Stage.ENCODE: encode.warm,
}
"""Loads a stage's libraries, so that the first frame does not wait for them."""


class Worker:
    """A stage worker's loop. To be made when nothing can be opened any more: it opens nothing."""

    def __init__(
        self,
        start: Start,
        channel: Channel[ToChild],
        ground: Ground,
        tether: Tether,
        in_force: Posture,
    ) -> None:
        self._start = start
        frames = start.settings.frames
        self._limits = Limits(max_side=frames.max_side, max_pixels=frames.max_pixels)
        self._channel = channel
        self._ground = ground
        self._tether = tether
        self._socket = tether.socket
        self._posture = in_force
        self._encoder = msgspec.msgpack.Encoder()
        self._telemetry = TelemetryPacer(self._relay)
        self._batches: msgspec.msgpack.Decoder[Batch] = msgspec.msgpack.Decoder(Batch)
        self._accounts = {stage: StageAccount() for stage in stages_of(start)}
        # Where canaries are counted: nowhere that is told.
        self._canary_accounts = {stage: StageAccount() for stage in self._accounts}
        self._tasks = 0
        self._processor_us = time.process_time_ns() // 1000
        """Taken by this process until its last answer."""
        self._heap = HeapGauge()
        self._examiner = Examiner(start.service, channel.send)
        self._upkeep = Upkeep(ground)
        self._is_listening = False
        """Whether it is looked at what the broker says of lent segments: from the first of them on."""
        self._wear = Wear(start.settings.memory, start.incarnation)
        self._is_worn = False
        self._answers: list[Answer] = []
        self._parts: list[zmq.Frame] = []
        self._is_stopped = False
        self._poller = zmq.Poller()
        for source in (self._socket, tether.events, channel.fileno()):
            self._poller.register(source, zmq.POLLIN)

    def greet(self) -> None:
        """Tell the broker that this worker can be given work."""
        self._socket.send(self._encoder.encode(Hello(self._start.incarnation, self._start.stages)))

    def run(self) -> bool:
        """Work until told to stop: True. False where the connection is lost, which cannot be made again.

        Raises `ChannelClosed`.
        """
        while not self._is_stopped:
            ready = dict(self._poller.poll(self._telemetry.due_in_ms(time.monotonic())))
            if self._channel.fileno() in ready:
                self._take_orders()
            if self._tether.events in ready:
                self._tether.look()
                if self._tether.is_lost:
                    # Both may be seen in one look: the supervisor's word comes before what it explains.
                    return self._is_stopped
            if self._ground.borrowed is not None:
                self._hear_of_segments(self._ground.borrowed, ready)
            if self._socket in ready:
                self._work_on(self._batches.decode(self._socket.recv()))
            self._pass_time(time.monotonic())
        return True

    def _take_orders(self) -> None:
        while (message := self._channel.receive()) is not None:
            if isinstance(message, Stop):
                self._is_stopped = True
            elif isinstance(message, Examine):
                self._examiner.take(message, time.monotonic())

    def _hear_of_segments(self, borrowed: Borrowed, ready: Mapping[object, int]) -> None:
        """Learn which segment is gone, or announced already."""
        if not self._is_listening:
            if borrowed.is_held:
                self._is_listening = True
                self._poller.register(borrowed.fileno(), zmq.POLLIN)
        elif borrowed.fileno() in ready:
            try:
                borrowed.listen()
            except NothingArrived as error:
                # The broker is gone, as the tether will say, or has no more to lend.
                log.debug("lent segments: %s", error)
                self._poller.unregister(borrowed.fileno())
                self._is_listening = False

    def _pass_time(self, now_s: float) -> None:
        """Do what is due beside the work."""
        self._telemetry.offer(self._figures, now_s)
        self._examiner.pass_time(now_s)
        self._upkeep.pass_time(now_s)
        if not self._is_worn and (reason := self._wear.reason(self._tasks, self._upkeep.at_rest_bytes)):
            self._is_worn = True
            self._channel.send(Worn(reason))

    def _relay(self, telemetry: bytes) -> None:
        self._socket.send(self._encoder.encode(Relay(telemetry)), zmq.DONTWAIT)

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
        head = zmq.Frame(self._encoder.encode(Report(self._answers)), copy=True)
        self._socket.send_multipart([head, *self._parts], copy=False)
        self._answers = []
        self._parts = []

    def _do(self, task: Task) -> None:
        """Run a task's steps. Whatever a step raises ends this task alone."""
        if not task.is_canary:
            self._tasks += 1
            self._telemetry.stir()
            self._upkeep.worked(time.monotonic())
        accounts = self._canary_accounts if task.is_canary else self._accounts
        step_us: list[int] = []
        encoded: list[Encoded] = []
        parts: list[zmq.Frame] = []
        fault = None
        made = None
        for step in task.steps:
            stage = _stage_of(step)
            account = accounts[stage]
            began_ns = time.monotonic_ns()
            try:
                made = self._run(step, made, encoded, parts)
            except FrameError as error:
                fault = Fault(error.code, error.message)
            except Exception as error:  # noqa: BLE001 - logged, but where it only means that memory is short
                fault = self._fault_of(error, stage, task.trace)
            took_us = (time.monotonic_ns() - began_ns) // 1000
            account.busy_us += took_us
            if fault is not None:
                account.failed += 1
                encoded, parts = [], []
                made = None
                break
            account.completed += 1
            account.latency.record(took_us)
            step_us.append(took_us)
        processor_us = time.process_time_ns() // 1000
        self._answers.append(
            Answer(task.lease, step_us, encoded, fault, made, max(processor_us - self._processor_us, 0))
        )
        self._processor_us = processor_us
        self._parts.extend(parts)

    def _run(
        self, step: Step, made: Geometry | None, encoded: list[Encoded], parts: list[zmq.Frame]
    ) -> Geometry | None:
        """Run one step. `made` is what the step before it made, where only its pixels told the size; returns the same
        of this one."""
        if isinstance(step, Decode):
            decode.decode(step, self._ground)
        elif isinstance(step, Transform):
            geometry = transform.transform(step, self._ground, self._limits)
            return geometry if step.is_open else None
        else:
            if step.is_open:
                step = _measured(step, made)
            picture = encode.encode(step, self._ground)
            encoded.append(picture.encoded)
            # Copied, and here, where a shortage of memory is this task's alone. To save the copy pyzmq would start
            # threads and a context of its own, which a worker that is shut in cannot.
            parts.append(zmq.Frame(picture.data, copy=True))
        return None

    def _fault_of(self, error: Exception, stage: Stage, trace: str) -> Fault:
        """Say what went wrong; to the operator where it is not the picture's doing."""
        if is_shortage(error):
            limit_mb = self._start.settings.memory.worker_limit_mb
            message = f"{stage} needs more memory than memory.worker_limit_mb leaves a worker: {limit_mb} MiB"
            log.warning("%s", message, extra={"trace": trace})
            return Fault(ErrorCode.TOO_LARGE, message)
        log.error("%s failed", stage, exc_info=error, extra={"trace": trace})
        return Fault(ErrorCode.INTERNAL, f"{stage} failed; the daemon's log has it under {trace}")

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
            posture=self._posture,
        )


def _measured(step: Encode, made: Geometry | None) -> Encode:
    """A step whose plan knew only a bound of its picture, with what the step before it has made."""
    if made is None:
        raise ValueError("an open picture is encoded in the task that makes it")
    return msgspec.structs.replace(step, geometry=made, is_open=False)


def _stage_of(step: Step) -> Stage:
    if isinstance(step, Decode):
        return Stage.DECODE
    return Stage.TRANSFORM if isinstance(step, Transform) else Stage.ENCODE


def stages_of(start: Start) -> list[Stage]:
    """List the stages that this worker may be asked to run."""
    pipeline = start.settings.pipeline
    return next(pipeline.stages_known_by(pool) for pool in pipeline.pools if pool.stages == start.stages)


def connected(tether: Tether, channel: Channel[ToChild]) -> bool:
    """Wait until the connection is made: True. False where the supervisor orders a stop first; it ends who waits long.

    Raises `ChannelClosed`.
    """
    poller = zmq.Poller()
    poller.register(tether.events, zmq.POLLIN)
    poller.register(channel.fileno(), zmq.POLLIN)
    while not tether.is_made:
        poller.poll()
        if isinstance(channel.receive(), Stop):
            return False
        tether.look()
    return True


def borrowed_by(start: Start) -> Borrowed | None:
    """Connect to where lent segments are had; None where nothing is borrowed. Raises OSError.

    To be called when the connection to the broker is made: it listens there before it does on the frames' road.
    """
    frames = start.settings.frames
    if not frames.lent_directory:
        return None
    return Borrowed(LendingEnd(lending_path(start.work_endpoint), start.incarnation), mapped_bytes_max(frames))


def await_end(channel: Channel[ToChild]) -> int:
    """Wait a moment for what the supervisor makes of a lost connection, and return an exit status.

    It ends all workers when the broker dies. Who ended by himself before would be taken for one that died of his own.
    """
    deadline_s = time.monotonic() + LOST_GRACE_S
    while (left_s := deadline_s - time.monotonic()) > 0 and select.select([channel], [], [], left_s)[0]:
        if isinstance(channel.receive(), Stop):
            return 0
    log.error("the connection to the broker is lost, and cannot be made again")
    return EXIT_LOST


def serve(child: Child, context: zmq.Context[zmq.Socket[bytes]]) -> int:
    """Shut this process in, work, and return its exit status. Raises `ChannelClosed`."""
    start, channel = child.start, child.channel
    settings = start.settings
    sandbox = Sandbox(settings.sandbox.mode)
    rehearse()
    with Arena(start.arena_fd, start.arena_bytes) as arena:
        arena.let_go_of_descriptor(start.arena_fd)
        # ORDER: while there is no other thread, which would keep its rights; ZeroMQ starts two with its first socket.
        sandbox.shut_files()
        with contextlib.closing(Tether(context, start.work_endpoint, start.incarnation)) as tether:
            if not connected(tether, channel):
                return 0
            # ORDER: before memory is limited to what is mapped and what work may take.
            ground = Ground(arena, borrowed_by(start))
            in_force = sandbox.shut_calls(settings.memory.worker_limit_mb << 20, mapped_bytes_max(settings.frames))
            if sandbox.refusal:
                channel.send(Unable(sandbox.refusal, EXIT_REQUIRED))
                return EXIT_REQUIRED
            sandbox.tell(in_force)
            worker = Worker(start, channel, ground, tether, in_force)
            # What was made so far lives as long as the process: the collector need not walk it again and again.
            gc.freeze()
            # ORDER: who is replaced by this worker gets nothing more as soon as it is ready.
            worker.greet()
            channel.send(Ready())
            return 0 if worker.run() else await_end(channel)


def main() -> int:
    """Work until the supervisor says stop, or is gone."""
    child = begin(sys.argv)
    for stage in stages_of(child.start):
        _WARM[stage]()
    # Turns at the processor are fewer and longer: a worker interrupted in mid-picture finds its cache cold. Asked for
    # before there are other threads, which get the same.
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    if child.start.settings.pipeline.is_for_heavy_frames(child.start.stages):
        with contextlib.suppress(OSError):
            # Where a service manager refuses the call, all take the same turns.
            os.nice(NICENESS)
    with make_context() as context:
        try:
            return serve(child, context)
        except ChannelClosed:
            return 0


if __name__ == "__main__":
    leave(main())
