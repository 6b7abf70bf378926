"""Outcomes: how frames end, and what a worker's death leads to. Pure values."""

from dataclasses import dataclass, field

from ipc.messages import Fault
from omnishotd.broker.frame import Frame


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
