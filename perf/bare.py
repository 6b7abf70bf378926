"""Bare processes: the same calls as the daemon's, without a daemon."""

import contextlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from perf.child import ANSWER_WITHIN_S, Child, gather, let_go
from perf.contender import Contender, Facts, Load, Run
from perf.messages import BareOrder, Sample
from perf.request import request_of
from perf.versions import versions_of
from perf.work import Work

CORES: Final = len(os.sched_getaffinity(0))


class BareProcesses:
    """As many processes as cores, each with a loop of its own. With fewer frames in flight, fewer of them work."""

    def __init__(self, children: Sequence[Child], files: Mapping[Work, Path]) -> None:
        self._children = children
        self._files = files

    def refusal(self, _: Work, load: Load) -> str | None:
        """Nobody sends anything here."""
        return "no producers" if load.producers > 1 or load.is_open else None

    def sample(self, work: Work) -> bytes:
        """Make the calls once."""
        self._children[0].order(self._order(work, is_sample=True))
        return self._children[0].answer(Sample, ANSWER_WITHIN_S).picture

    def measure(self, work: Work, load: Load, seconds: float) -> Run:
        """Repeat the calls in all processes side by side."""
        children = self._children[: load.in_flight]
        let_go(children, [self._order(work)] * len(children), seconds)
        return gather(children, seconds)

    def processes(self) -> Mapping[str, Sequence[int]]:
        """Name the processes."""
        return {"bare": [child.pid for child in self._children]}

    def producers(self) -> Sequence[int]:
        """There are none."""
        return ()

    def _order(self, work: Work, *, is_sample: bool = False) -> BareOrder:
        return BareOrder(request_of(work), str(self._files[work]), is_sample)


@dataclass(frozen=True, slots=True)
class Bare:
    """The library calls alone: what the daemon could do at most."""

    name: str
    is_tuned: bool
    """Whether the C library's allocator is set as it is for the daemon's workers."""

    def facts(self) -> Facts:
        """Name the libraries."""
        version = versions_of("simplejpeg", "cykooz-resizer", "numpy")
        settings = "one process a core, one thread each; plan made and bytes in place before the time begins"
        allocator = "malloc keeps up to 64 MiB, as in the daemon's workers" if self.is_tuned else "malloc as it comes"
        less = "no requests, no messages, no isolation, no limits"
        return Facts(version, f"{settings}; {allocator}", less)

    @contextlib.contextmanager
    def start(self, files: Mapping[Work, Path]) -> Iterator[Contender]:
        """Start the processes; they are ready when they have made a picture."""
        one_thread = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        environment = None if self.is_tuned else one_thread
        with contextlib.ExitStack() as stack:
            children = [stack.enter_context(Child("perf.ideal", environment=environment)) for _ in range(CORES)]
            yield BareProcesses(children, files)

    def time_start(self) -> float:
        """It serves nobody."""
        return math.nan
