"""Pillow, in a pool of processes."""

import contextlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import psutil

from perf.child import ANSWER_WITHIN_S, Child, gather, let_go
from perf.contender import Contender, Facts, Load, NotInstalled, Run
from perf.messages import Sample
from perf.peers.messages import WorkOrder
from perf.versions import versions_of
from perf.work import Work


class Pool:
    """A parent that hands out pictures to its pool, and is its own producer."""

    def __init__(self, parent: Child, files: Mapping[Work, Path]) -> None:
        self._parent = parent
        self._files = files

    def refusal(self, _: Work, load: Load) -> str | None:
        """Nobody else can call its pool."""
        return "one producer only" if load.producers > 1 else None

    def sample(self, work: Work) -> bytes:
        """Make one call."""
        self._parent.order(WorkOrder(work, str(self._files[work]), is_sample=True))
        return self._parent.answer(Sample, ANSWER_WITHIN_S).picture

    def measure(self, work: Work, load: Load, seconds: float) -> Run:
        """Let the parent call."""
        order = WorkOrder(work, str(self._files[work]), load.in_flight, load.frames_per_second)
        let_go([self._parent], [order], seconds)
        return gather([self._parent], seconds)

    def processes(self) -> Mapping[str, Sequence[int]]:
        """The parent too: its threads and pipes are what the pool costs, and its calls are a small part of that."""
        children = psutil.Process(self._parent.pid).children()
        return {"parent": [self._parent.pid], "worker": [child.pid for child in children]}

    def producers(self) -> Sequence[int]:
        """There are none beside the parent."""
        return ()


class Pillow:
    """`ProcessPoolExecutor`, as a web service in Python would have it."""

    name = "pillow"

    def facts(self) -> Facts:
        """Look for Pillow."""
        if find_spec("PIL") is None:
            raise NotInstalled("Pillow is not installed: make setup")
        settings = "ProcessPoolExecutor, a worker a core; draft mode: JPEGs are decoded as small as they may be"
        less = "no requests: its caller is the pool's parent; no limits; a death breaks the whole pool"
        return Facts(versions_of("pillow"), settings, less)

    @contextlib.contextmanager
    def start(self, files: Mapping[Work, Path]) -> Iterator[Contender]:
        """Start the parent. Its workers come with the first call: that one is made."""
        self.facts()
        with Child("perf.peers.pillow_pool", environment=os.environ) as parent:
            pool = Pool(parent, files)
            pool.sample(next(iter(files)))
            yield pool

    def time_start(self) -> float:
        """It serves nobody."""
        return math.nan
