"""Cuts: whether a worker died because a lent segment was made shorter under it.

Who touches a page of a mapping that its file has not any more gets SIGBUS. Nothing else that a worker maps can be cut:
the arena has no name, and nobody but the daemon has its descriptor. So a worker that ends by SIGBUS with lent pixels in
its hands died of these. It is nobody's fault but their producer's: no other frame comes under suspicion, and what this
user lends is read from then on, where a cut is a short read, and not mapped. That holds even where the segment is long
enough again by the time it is looked at.
"""

from dataclasses import dataclass, field
from typing import Final

from ipc.messages import Fault
from omnishotd.broker.crew import Worker
from omnishotd.broker.frame import Frame

CUT_SIGNAL: Final = "SIGBUS"


@dataclass(frozen=True, slots=True)
class Cuts:
    """What a worker died of."""

    faults: dict[Frame, Fault] = field(default_factory=dict)
    """Of the frames that it held, those whose pixels are not there any more."""


def find_cuts(worker: Worker, signal: str) -> Cuts | None:
    """Look at what a dead worker held, and distrust who cut it. None where it died of something else."""
    if signal != CUT_SIGNAL:
        return None
    begun = next((batch.jobs for batch in worker.batches if batch.is_delivered), [])
    suspects = {job.frame.loan for job in begun if job.frame.loan is not None and job.frame.is_mapped}
    if not suspects:
        return None
    cuts = Cuts()
    for frame in dict.fromkeys(job.frame for batch in worker.batches for job in batch.jobs):
        error = frame.loan.cut() if frame.loan is not None and frame.is_mapped else None
        if error is not None:
            cuts.faults[frame] = Fault(error.code, error.message)
    guilty = suspects & {frame.loan for frame in cuts.faults if frame.loan is not None}
    for loan in guilty or suspects:
        loan.segments.distrust(loan.segment.uid)
    return cuts
