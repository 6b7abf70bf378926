"""Answers: whether what a worker says it made is what it was to make. Workers decode hostile bytes. Pure."""

from typing import Final

from ipc.messages import Encoded
from ipc.pixels import Geometry, Layout
from ipc.stage import Stage
from omnishotd.broker.crew import Job

_LAYOUTS: Final = frozenset({None, *Layout})


def take_made(job: Job, made: Geometry | None) -> bool:
    """Note what an open transform at the end of a job has made. False if it is not what it may be, or not asked for."""
    index = job.outputs[-1] if job.outputs else 0
    output = job.frame.plan.outputs[index]
    if not output.is_open or job.stages[-1] is not Stage.TRANSFORM:
        return made is None
    if made is None or not output.allows(made):
        return False
    job.frame.made[index] = made
    return True


def is_due(encoded: Encoded, job: Job) -> bool:
    """Tell whether a picture is one that the job was to make, as planned."""
    frame, index = job.frame, encoded.output
    if index not in job.outputs or frame.encoded[index] is not None or encoded.layout not in _LAYOUTS:
        return False
    output = frame.plan.outputs[index]
    told = Geometry(encoded.width, encoded.height, output.result.layout)
    made = frame.made[index]
    return output.allows(told) if made is None else told == made
