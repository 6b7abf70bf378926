"""Ledger: which frame holds which extents, which worker holds which lease, and what follows from each answer. Pure.

The rules that nothing may break (each held by a test):
- an extent is freed only when no lease on its frame is out, or by the answer that ends its last use; what several
  outputs may read to the end, overlays and an original whose metadata are kept, stays as long as the frame;
- an answer counts only under the lease that is current; a lease is used once;
- a worker's leases end by its answers or by proof of its death, never by a deadline;
- a frame that a worker had begun when it died is made again from its payload, which the broker holds in memory of its
  own: of what that worker wrote, nothing gets into a picture;
- whatever happens, a frame gets one outcome.

What is not promised: all workers map all of the arena, so one that was taken over, or whose decoder writes far beyond
its bounds, can spoil other frames that are in work at that moment.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ipc.errors import ErrorCode
from ipc.extents import ExtentAllocator, divided
from ipc.messages import Answer, Encoded, Extent, Fault
from ipc.pixels import Geometry, Layout
from ipc.settings import PoolSettings
from ipc.stage import STAGES, Stage
from omnishotd.broker.crew import Crew, Job, Worker
from omnishotd.broker.frame import IN_WORK, Frame, FrameEvent, FrameState, InvariantError, Payload, StageTimes
from omnishotd.broker.steps import decode_step, encode_step, first_stage, transform_step

DEATHS_MAX: Final = 2
"""Workers that may die with a frame in their hands before it is given up."""

NOBODY: Final = "waiting"
"""In place of a worker's name, for frames in work that no worker has at the moment."""

_LAYOUTS: Final = frozenset({None, *Layout})


@dataclass(frozen=True, slots=True)
class Outcome:
    """A frame's end: its pictures lie in the frame, or `fault` says why there are none."""

    frame: Frame
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Bereavement:
    """What a worker's death led to."""

    outcomes: list[Outcome] = field(default_factory=list)
    retried: list[Frame] = field(default_factory=list)


class Ledger:
    """The frames in work."""

    def __init__(
        self,
        allocator: ExtentAllocator,
        write: Callable[[Extent, Payload], None],
        crew: Crew,
        pools: Sequence[PoolSettings],
        whole_frame_pixels_max: int = 0,
    ) -> None:
        self._allocator = allocator
        self._write = write
        self._crew = crew
        self._stages = [[Stage(stage) for stage in pool.stages] for pool in pools]
        self._pool_of = {stage: index for index, stages in enumerate(self._stages) for stage in stages}
        self._whole_frame_pixels_max = whole_frame_pixels_max
        self._leases: dict[int, tuple[Job, Worker]] = {}
        self._recalled: deque[Frame] = deque()
        """Of the frames that are to be made again, those that nobody has any more. They hold nothing of the arena."""
        self._last_lease = 0
        self.working = 0
        """Frames that hold extents, without canaries."""
        self.stale_answers = 0
        """Answers under a lease that was not current."""

    def start(self, frame: Frame) -> bool:
        """Take a frame into work. Returns False, and changes nothing, when the arena has no room now."""
        payload_bytes = len(frame.payload)
        sizes_bytes = frame.plan.sizes_bytes(payload_bytes)
        if self._is_whole(frame):
            # All of it is free at the same moment anyway: one extent, divided, is less work than several.
            frame.block = self._allocator.allocate(frame.plan.room_bytes(payload_bytes))
            extents = None if frame.block is None else divided(frame.block, sizes_bytes)
        else:
            extents = self._allocator.allocate_all(sizes_bytes)
        if extents is None:
            return False
        self.working += frame.state is FrameState.WAITING and not frame.is_canary
        frame.advance(FrameEvent.START)
        outputs = frame.plan.outputs
        if not frame.plan.is_raw:
            frame.source = extents.pop(0)
        frame.pixels = extents.pop(0)
        frame.results = [extents.pop(0) if output.operations else None for output in outputs]
        frame.overlays = extents
        frame.made = [None] * len(outputs)
        frame.encoded = [None] * len(outputs)
        frame.parts = [None] * len(outputs)
        frame.pixels_readers = frame.outputs_open = len(outputs)
        self._write(frame.source or frame.pixels, frame.payload)
        for overlay, extent in zip(frame.plan.overlays, frame.overlays, strict=True):
            self._write(extent, overlay.data)
        if frame.plan.is_raw:
            for index in range(len(outputs)):
                self._crew.add(self._output_job(frame, index, first_stage(frame, index)))
        else:
            self._crew.add(self._decode_job(frame))
        return True

    def start_again(self) -> bool:
        """Take recalled frames into work again. Returns False while one has no room: it goes before all that wait."""
        while self._recalled:
            if not self.start(self._recalled[0]):
                return False
            self._recalled.popleft()
        return True

    def lease(self, job: Job, worker: Worker) -> int:
        """Name the hand-over of a job to a worker."""
        self._last_lease += 1
        job.lease = self._last_lease
        job.frame.leases_out += 1
        self._leases[job.lease] = (job, worker)
        return job.lease

    def answer(self, worker: Worker, answer: Answer, parts: Sequence[Any], now_us: int) -> Outcome | None:
        """Take a worker's answer, with the parts of its message that are pictures. Returns the frame's end, if any."""
        held = self._leases.get(answer.lease)
        if held is None or held[1] is not worker:
            self.stale_answers += 1
            return None
        job = held[0]
        self._end_lease(job)
        self._crew.answered(worker, job, now_us)
        frame = job.frame
        if frame.state is FrameState.ABANDONED:
            self._close_if_home(frame)
            return None
        if frame.state is FrameState.RECALLED:
            self._release_if_home(frame)
            return None
        if answer.fault is not None:
            return self.give_up(frame, answer.fault)
        if len(answer.step_us) != len(job.steps) or len(answer.encoded) != len(parts):
            return self.give_up(frame, Fault(ErrorCode.INTERNAL, "a worker's answer does not match its task"))
        return self._take_further(job, answer, parts)

    def give_up(self, frame: Frame, fault: Fault) -> Outcome:
        """End a frame with an error, whether it waits or is in work. Leases that are out come home later."""
        self._crew.discard(frame)
        if frame in self._recalled:
            self._recalled.remove(frame)
        if frame.state is FrameState.WAITING:
            frame.advance(FrameEvent.FINISH)
        elif frame.leases_out:
            frame.advance(FrameEvent.ABANDON)
        else:
            self._close(frame)
        return Outcome(frame, fault)

    def time_out(self, worker: Worker, fault: Fault) -> Outcome | None:
        """Condemn a worker that overran its limit, and end the frame it was at. Its extents wait for proof of death.

        Of several small frames in one message nobody can say which one it was: they will be tried again, each alone.
        """
        worker.is_condemned = True
        begun = worker.batches[0].jobs
        if len(begun) > 1 or begun[0].frame.state not in IN_WORK:
            return None
        return self.give_up(begun[0].frame, fault)

    def gone(self, worker: Worker, reason: str) -> Bereavement:
        """Deal with what a dead worker held; `crew.gone` has taken it out already. `reason`: how it died.

        It had begun nothing but the oldest message that reached it, so only the frames in that are under suspicion.
        """
        outcomes: list[Outcome] = []
        retried: list[Frame] = []
        held = [job for batch in worker.batches for job in batch.jobs]
        oldest = next((batch.jobs for batch in worker.batches if batch.is_delivered), [])
        # Once a frame, however many of its jobs the worker had: it is one death.
        begun = dict.fromkeys(job.frame for job in oldest)
        for frame in begun:
            frame.killed += (worker.incarnation,)
            frame.suspect = True
        for job in reversed(held):
            self._end_lease(job)
            frame = job.frame
            if frame.state is FrameState.ABANDONED:
                self._close_if_home(frame)
                continue
            if frame.is_canary and frame.deaths:
                outcomes.append(self.give_up(frame, Fault(ErrorCode.INTERNAL, f"{worker.service} died ({reason})")))
                continue
            if frame.deaths >= DEATHS_MAX:
                fault = Fault(ErrorCode.POISON, f"{frame.deaths} workers died with this frame in their hands")
                outcomes.append(self.give_up(frame, fault))
                continue
            if frame in begun or frame.state is FrameState.RECALLED:
                self._recall(frame)
            else:
                self._crew.add(job, first=True)
            if frame not in retried and not frame.is_canary:
                retried.append(frame)
        return Bereavement(outcomes, retried)

    def pool_of(self, canary: Frame) -> int:
        """Tell in which pool a canary in work is, or waits for a worker; its one output is transformed."""
        if canary.source is not None:
            return self._pool_of[Stage.DECODE]
        return self._pool_of[Stage.ENCODE if canary.pixels is None else Stage.TRANSFORM]

    def holders(self) -> dict[Frame, str]:
        """Name for each frame in work the worker that has it; of several, the one that has had it longest."""
        holders: dict[Frame, str] = {}
        for job, worker in self._leases.values():
            holders.setdefault(job.frame, worker.service)
        for frame in (*self._crew.ready_frames(), *self._recalled):
            holders.setdefault(frame, NOBODY)
        return holders

    def _end_lease(self, job: Job) -> None:
        del self._leases[job.lease]
        job.lease = 0
        job.frame.leases_out -= 1

    def _recall(self, frame: Frame) -> None:
        """Have a frame made again from its payload, as soon as nobody else has it."""
        if frame.state is FrameState.WORKING:
            frame.advance(FrameEvent.RECALL)
            self._crew.discard(frame)
        self._release_if_home(frame)

    def _release_if_home(self, frame: Frame) -> None:
        """Give back all that a recalled frame holds, once no worker can touch it: it must not wait for room with it."""
        if frame.leases_out:
            return
        self._free_all(frame)
        frame.times = StageTimes(queue=frame.times.queue)
        self._recalled.appendleft(frame)

    def _take_further(self, job: Job, answer: Answer, parts: Sequence[Any]) -> Outcome | None:
        frame = job.frame
        for stage, step_us in zip(job.stages, answer.step_us, strict=True):
            if stage is Stage.DECODE:
                frame.times.decode += step_us
            elif stage is Stage.TRANSFORM:
                frame.times.transform += step_us
            else:
                frame.times.encode += step_us
        if not _take_made(job, answer.made):
            return self.give_up(frame, Fault(ErrorCode.INTERNAL, "a worker's answer does not match its task"))
        for encoded, part in zip(answer.encoded, parts, strict=True):
            if not _is_due(encoded, job):
                return self.give_up(frame, Fault(ErrorCode.INTERNAL, "a worker's answer does not match its task"))
            frame.encoded[encoded.output] = encoded
            frame.parts[encoded.output] = part
        self._free_read(job)
        if frame.outputs_open == 0:
            if None in frame.encoded:
                return self.give_up(frame, Fault(ErrorCode.INTERNAL, "a worker's answer does not match its task"))
            self._close(frame)
            return Outcome(frame)
        return None

    def _free_read(self, job: Job) -> None:
        """Free what the job was the last to read, and make the jobs that follow it ready."""
        frame = job.frame
        if job.stages[0] is Stage.DECODE:
            if not frame.plan.keeps_source:
                self._free(frame, frame.source)
                frame.source = None
            for index in range(len(frame.plan.outputs)):
                if index not in job.outputs:
                    self._crew.add(self._output_job(frame, index, first_stage(frame, index)))
        last = job.stages[-1]
        for index in job.outputs:
            if first_stage(frame, index) in job.stages:
                frame.pixels_readers -= 1
            if last is Stage.ENCODE:
                frame.outputs_open -= 1
                self._free(frame, frame.results[index])
                frame.results[index] = None
            else:
                self._crew.add(self._output_job(frame, index, Stage.ENCODE))
        if frame.pixels_readers == 0:
            self._free(frame, frame.pixels)
            frame.pixels = None

    def _free(self, frame: Frame, extent: Extent | None) -> None:
        """Free an extent; a part of a frame's block stays until the frame is closed."""
        if extent is not None and frame.block is None:
            self._allocator.free(extent)

    def _close_if_home(self, frame: Frame) -> None:
        if frame.leases_out == 0:
            self._close(frame)

    def _close(self, frame: Frame) -> None:
        if frame.leases_out:
            raise InvariantError(f"frame {frame.trace} closed with {frame.leases_out} leases out")
        frame.advance(FrameEvent.FINISH)
        self.working -= not frame.is_canary
        self._free_all(frame)

    def _free_all(self, frame: Frame) -> None:
        for extent in (frame.source, frame.pixels, *frame.results, *frame.overlays):
            self._free(frame, extent)
        if frame.block is not None:
            self._allocator.free(frame.block)
        frame.source = frame.pixels = frame.block = None
        frame.results = []
        frame.overlays = []

    def _is_whole(self, frame: Frame) -> bool:
        """Tell whether a frame passes all stages in one worker."""
        return not frame.plan.is_raw and frame.plan.pixels <= self._whole_frame_pixels_max and not frame.is_canary

    def _decode_job(self, frame: Frame) -> Job:
        """Make the job that decodes, and does all else that the same worker can do; to a small frame, all."""
        pool = self._pool_of[Stage.DECODE]
        job = Job(frame, pool, [decode_step(frame)], [Stage.DECODE], [])
        stages = STAGES if frame.block is not None else self._stages[pool]
        for index, output in enumerate(frame.plan.outputs):
            # A task can tell of one open result only, that of its last step: those that nobody encodes at once get
            # tasks of their own.
            if first_stage(frame, index) in stages and (Stage.ENCODE in stages or not output.is_open):
                self._add_output(job, index, first_stage(frame, index), stages)
        return job

    def _output_job(self, frame: Frame, index: int, stage: Stage) -> Job:
        """Make the job that takes one output from `stage` on, as far as one pool reaches."""
        pool = self._pool_of[stage]
        job = Job(frame, pool, [], [], [])
        self._add_output(job, index, stage, self._stages[pool])
        return job

    def _add_output(self, job: Job, index: int, stage: Stage, stages: Sequence[Stage]) -> None:
        frame = job.frame
        pixels, result = frame.pixels, frame.results[index]
        if pixels is None and result is None:
            raise InvariantError(f"frame {frame.trace} has no pixels for output {index}")
        if stage is Stage.TRANSFORM and pixels is not None and result is not None:
            job.steps.append(transform_step(frame, index, pixels, result))
            job.stages.append(Stage.TRANSFORM)
            job.outputs.append(index)
        source = result or pixels
        if Stage.ENCODE in stages and source is not None:
            job.steps.append(encode_step(frame, index, source))
            job.stages.append(Stage.ENCODE)
            if index not in job.outputs:
                job.outputs.append(index)


def _take_made(job: Job, made: Geometry | None) -> bool:
    """Note what an open transform at the end of a job has made. False if it is not what it may be, or not asked for."""
    index = job.outputs[-1] if job.outputs else 0
    output = job.frame.plan.outputs[index]
    if not output.is_open or job.stages[-1] is not Stage.TRANSFORM:
        return made is None
    if made is None or not output.allows(made):
        return False
    job.frame.made[index] = made
    return True


def _is_due(encoded: Encoded, job: Job) -> bool:
    """Tell whether a picture is one that the job was to make, as planned: workers decode hostile bytes."""
    frame, index = job.frame, encoded.output
    if index not in job.outputs or frame.encoded[index] is not None or encoded.layout not in _LAYOUTS:
        return False
    output = frame.plan.outputs[index]
    told = Geometry(encoded.width, encoded.height, output.result.layout)
    made = frame.made[index]
    return output.allows(told) if made is None else told == made
