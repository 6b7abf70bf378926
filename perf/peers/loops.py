"""Loops: contenders that are processes with libraries of their own, without a server between."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from perf.child import ANSWER_WITHIN_S, Child, gather, let_go
from perf.contender import Load, Run
from perf.messages import Sample
from perf.peers.messages import WorkOrder
from perf.work import Work


class Loops:
    """As many processes as cores, each with a loop of its own. With fewer frames in flight, fewer of them work."""

    def __init__(self, children: Sequence[Child], files: Mapping[Work, Path], kind: str) -> None:
        self._children = children
        self._files = files
        self._kind = kind

    def refusal(self, _: Work, load: Load) -> str | None:
        """Nobody sends anything here."""
        return "no producers" if load.producers > 1 or load.is_open else None

    def sample(self, work: Work) -> bytes:
        """Do the work once, in the first process."""
        self._children[0].order(WorkOrder(work, str(self._files[work]), is_sample=True))
        return self._children[0].answer(Sample, ANSWER_WITHIN_S).picture

    def measure(self, work: Work, load: Load, seconds: float) -> Run:
        """Repeat the work in all processes side by side."""
        children = self._children[: load.in_flight]
        let_go(children, [WorkOrder(work, str(self._files[work]))] * len(children), seconds)
        return gather(children, seconds)

    def processes(self) -> Mapping[str, Sequence[int]]:
        """Name the processes: their work is all there is."""
        return {self._kind: [child.pid for child in self._children]}

    def producers(self) -> Sequence[int]:
        """There are none."""
        return ()
