"""Ledger: which frame holds which extents, which worker holds which lease, and what follows from each answer. Pure.

The rules that nothing may break (each held by a test):
- an extent is freed only when no lease on its frame is out, or by the answer that ends its last use; what several
  outputs may read to the end, overlays and an original whose metadata are kept, stays as long as the frame;
- an answer counts only under the lease that is current; a lease is used once;
- a worker's leases end by its answers or by proof of its death, never by a deadline;
- a frame that a worker had begun when it died is made again from its payload, which the broker holds in memory of its
  own, or from lent pixels, which no worker can write to: of what that worker wrote, nothing gets into a picture;
- whatever happens, a frame gets one outcome.

What is not promised: all workers map all of the arena, so one that was taken over, or whose decoder writes far beyond
its bounds, can spoil other frames that are in work at that moment.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from ipc.errors import ErrorCode
from ipc.extents import ExtentAllocator
from ipc.messages import Answer, Extent, Fault
from ipc.settings import PoolSettings
from ipc.stage import Stage
from omnishotd.broker.answers import is_due, take_made
from omnishotd.broker.cost import LEARN_US_MIN, Costs
from omnishotd.broker.crew import Crew, Job, Worker
from omnishotd.broker.cuts import Cuts
from omnishotd.broker.frame import IN_WORK, Frame, FrameEvent, FrameState, InvariantError, Payload, StageTimes
from omnishotd.broker.fusion import Fusion
from omnishotd.broker.loans import lent_pixels
from omnishotd.broker.outcome import Bereavement, Outcome
from omnishotd.broker.room import Room
from omnishotd.broker.route import Route
from omnishotd.broker.steps import first_stage

DEATHS_MAX: Final = 2
"""Workers that may die with a frame in their hands before it is given up."""

NOBODY: Final = "waiting"
"""In place of a worker's name, for frames in work that no worker has at the moment."""


class Ledger:
    """The frames in work."""

    def __init__(
        self,
        allocator: ExtentAllocator,
        write: Callable[[Extent, Payload], None],
        crew: Crew,
        pools: Sequence[PoolSettings],
        whole_frame_pixels_max: int | Literal["auto"] = 0,
        costs: Costs | None = None,
    ) -> None:
        self.room = Room(allocator)
        self._write = write
        self._crew = crew
        self._route = Route(pools)
        self.fusion = Fusion(pools, whole_frame_pixels_max)
        self._costs = costs or Costs()
        self._leases: dict[int, tuple[Job, Worker]] = {}
        self._recalled: deque[Frame] = deque()
        """Of the frames that are to be made again, those that nobody has any more. They hold nothing of the arena."""
        self._last_lease = 0
        self.working = 0
        """Frames that hold extents, without canaries."""
        self.heavy_working = 0
        """Those of them that are heavy."""
        self.stale_answers = 0
        """Answers under a lease that was not current."""

    @property
    def arena_bytes(self) -> int:
        """All of the arena."""
        return self.room.total_bytes

    @property
    def heavy_bytes(self) -> int:
        """What heavy frames have of it."""
        return self.room.heavy_bytes

    def start(self, frame: Frame, kept_bytes: int = 0) -> bool:
        """Take a frame into work. Returns False, and changes nothing, when the arena has no room now.

        The same where it raises `LoanLost`. `kept_bytes` of the arena are kept free of light frames.
        """
        lent = None if frame.loan is None else lent_pixels(frame, frame.loan)
        frame.is_whole = self.fusion.choose(frame, self.working)
        whole = frame.plan.whole if frame.is_whole else None
        sizes_bytes = frame.plan.sizes_bytes(len(frame.payload), is_lent=lent is not None, is_whole=whole is not None)
        extents = self.room.take(frame, sizes_bytes, kept_bytes, is_block=lent is None and frame.is_whole)
        if extents is None:
            return False
        self.fusion.count(frame)
        self.working += frame.state is FrameState.WAITING and not frame.is_canary
        self.heavy_working += frame.state is FrameState.WAITING and frame.is_heavy
        frame.advance(FrameEvent.START)
        outputs = frame.plan.outputs
        if not frame.plan.is_raw:
            frame.source = extents.pop(0)
        frame.pixels = lent or (whole and whole.pixels) or extents.pop(0)
        if whole is None:
            frame.results = [extents.pop(0) if output.operations else None for output in outputs]
        else:
            frame.results = [*whole.results]
        frame.overlays = extents
        frame.made = [None] * len(outputs)
        frame.encoded = [None] * len(outputs)
        frame.parts = [None] * len(outputs)
        frame.pixels_readers = frame.outputs_open = len(outputs)
        if lent is None:
            self._write(frame.source or frame.pixels, frame.payload)
        for overlay, extent in zip(frame.plan.overlays, frame.overlays, strict=True):
            self._write(extent, overlay.data)
        for job in self._route.first_jobs(frame):
            self._crew.add(job)
        return True

    def start_again(self) -> Frame | None:
        """Take recalled frames into work again. Returns the first that has no room: it goes before all that wait."""
        while self._recalled:
            if not self.start(self._recalled[0]):
                return self._recalled[0]
            self._recalled.popleft()
        return None

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
            self._finish(frame)
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

    def gone(self, worker: Worker, reason: str, cuts: Cuts | None = None) -> Bereavement:
        """Deal with what a dead worker held; `crew.gone` has taken it out already. `reason`: how it died.

        It had begun nothing but the oldest message that reached it, so only the frames in that are under suspicion; and
        none is where it is known, by `cuts`, that it died of what was lent.
        """
        outcomes: list[Outcome] = []
        retried: list[Frame] = []
        held = [job for batch in worker.batches for job in batch.jobs]
        oldest = next((batch.jobs for batch in worker.batches if batch.is_delivered), [])
        # Once a frame, however many of its jobs the worker had: it is one death.
        begun = dict.fromkeys(job.frame for job in oldest)
        for frame in begun if cuts is None else ():
            frame.killed += (worker.incarnation,)
            frame.suspect = True
        for job in reversed(held):
            self._end_lease(job)
            frame = job.frame
            if frame.state is FrameState.ABANDONED:
                self._close_if_home(frame)
                continue
            if cuts is not None and frame in cuts.faults:
                outcomes.append(self.give_up(frame, cuts.faults[frame]))
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
        for frame in dict.fromkeys(self._crew.ready_frames()):
            # Those of a user who is distrusted by now are started again, without their segment being mapped.
            if cuts is not None and frame.is_mapped and frame.loan is not None and not frame.loan.is_trusted:
                self._recall(frame)
        return Bereavement(outcomes, retried)

    def pool_of(self, canary: Frame) -> int:
        """Tell in which pool a canary in work is, or waits for a worker; its one output is transformed."""
        if canary.source is not None:
            return self._route.pool_of[Stage.DECODE]
        return self._route.pool_of[Stage.ENCODE if canary.pixels is None else Stage.TRANSFORM]

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
        if frame.is_heavy or answer.processor_us >= LEARN_US_MIN:
            self._costs.learn(frame, job.steps, answer)
        for stage, step_us in zip(job.stages, answer.step_us, strict=True):
            if stage is Stage.DECODE:
                frame.times.decode += step_us
            elif stage is Stage.TRANSFORM:
                frame.times.transform += step_us
            else:
                frame.times.encode += step_us
        if not take_made(job, answer.made):
            return self.give_up(frame, Fault(ErrorCode.INTERNAL, "a worker's answer does not match its task"))
        for encoded, part in zip(answer.encoded, parts, strict=True):
            if not is_due(encoded, job):
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
                    self._crew.add(self._route.output_job(frame, index, first_stage(frame, index)))
        last = job.stages[-1]
        for index in job.outputs:
            if first_stage(frame, index) in job.stages:
                frame.pixels_readers -= 1
            if last is Stage.ENCODE:
                frame.outputs_open -= 1
                self._free(frame, frame.results[index])
                frame.results[index] = None
            else:
                self._crew.add(self._route.output_job(frame, index, Stage.ENCODE))
        if frame.pixels_readers == 0:
            self._free(frame, frame.pixels)
            frame.pixels = None

    def _free(self, frame: Frame, extent: Extent | None) -> None:
        """Free an extent; a part of a frame's block stays until the frame is closed, and what is lent is not ours."""
        if extent is not None and frame.block is None and not extent.segment:
            self.room.free(frame, extent)

    def _close_if_home(self, frame: Frame) -> None:
        if frame.leases_out == 0:
            self._close(frame)

    def _close(self, frame: Frame) -> None:
        if frame.leases_out:
            raise InvariantError(f"frame {frame.trace} closed with {frame.leases_out} leases out")
        self._finish(frame)
        self.working -= not frame.is_canary
        self.heavy_working -= frame.is_heavy
        self._free_all(frame)

    def _finish(self, frame: Frame) -> None:
        frame.advance(FrameEvent.FINISH)
        if frame.loan is not None:
            frame.loan.release()

    def _free_all(self, frame: Frame) -> None:
        for extent in (frame.source, frame.pixels, *frame.results, *frame.overlays):
            self._free(frame, extent)
        if frame.block is not None:
            self.room.free(frame, frame.block)
        self.room.left(frame)
        frame.source = frame.pixels = frame.block = None
        frame.results = []
        frame.overlays = []
