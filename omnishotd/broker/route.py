"""Route: which pool does what to a frame, in which jobs. Pure."""

from collections.abc import Sequence

from ipc.settings import PoolSettings
from ipc.stage import STAGES, Stage
from omnishotd.broker.crew import Job
from omnishotd.broker.frame import Frame, InvariantError
from omnishotd.broker.steps import decode_step, encode_step, first_stage, transform_step


class Route:
    """Through these pools. Frames that are whole pass all stages in the worker that decodes."""

    def __init__(self, pools: Sequence[PoolSettings]) -> None:
        self._stages = [[Stage(stage) for stage in pool.stages] for pool in pools]
        self.pool_of = {stage: index for index, stages in enumerate(self._stages) for stage in stages}
        """By stage, the pool that runs it."""

    def first_jobs(self, frame: Frame) -> list[Job]:
        """Make the jobs that can be done at once to a frame that is started."""
        if frame.plan.is_raw and not frame.is_whole:
            outputs = range(len(frame.plan.outputs))
            return [self.output_job(frame, index, first_stage(frame, index)) for index in outputs]
        return [self._decode_job(frame)]

    def output_job(self, frame: Frame, index: int, stage: Stage) -> Job:
        """Make the job that takes one output from `stage` on, as far as one pool reaches."""
        pool = self.pool_of[stage]
        job = Job(frame, pool, [], [], [])
        _add_output(job, index, stage, self._stages[pool])
        return job

    def _decode_job(self, frame: Frame) -> Job:
        """Make the job that decodes, and does all else that the same worker can do; to a small frame, all.

        Raw pixels need no decoding, and are done by the same workers nevertheless: these have all stages at hand.
        """
        pool = self.pool_of[Stage.DECODE]
        whole = frame.plan.whole if frame.is_whole else None
        if whole is not None and whole.steps:
            return Job(frame, pool, [decode_step(frame), *whole.steps], [*whole.stages], [*whole.outputs])
        job = Job(frame, pool, [], [], [])
        if not frame.plan.is_raw:
            job.steps.append(decode_step(frame))
            job.stages.append(Stage.DECODE)
        stages = STAGES if frame.is_whole else self._stages[pool]
        for index, output in enumerate(frame.plan.outputs):
            # A task can tell of one open result only, that of its last step: those that nobody encodes at once get
            # tasks of their own.
            if first_stage(frame, index) in stages and (Stage.ENCODE in stages or not output.is_open):
                _add_output(job, index, first_stage(frame, index), stages)
        return job


def _add_output(job: Job, index: int, stage: Stage, stages: Sequence[Stage]) -> None:
    """Add what is to be done to one output from `stage` on, of what a worker with these `stages` can do."""
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
