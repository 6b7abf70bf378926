"""Served: the daemon as its users have it, with producers of the benchmark's own."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from perf.child import ANSWER_WITHIN_S, Child, gather, let_go
from perf.contender import Contender, Facts, Load, MeasurementFailed, Run
from perf.memory import service_of
from perf.messages import LoadOrder, Sample
from perf.request import request_of
from perf.versions import versions_of
from perf.work import Work
from tests.daemon import Daemon

PRODUCERS: Final = 4


class ServedDaemon:
    """A daemon that runs, and producers that wait for orders."""

    def __init__(self, daemon: Daemon, children: Sequence[Child], files: Mapping[Work, Path], *, is_lent: bool) -> None:
        self._daemon = daemon
        self._children = children
        self._files = files
        self._is_lent = is_lent

    def refusal(self, _: Work, load: Load) -> str | None:
        """It takes everything."""
        return f"{PRODUCERS} producers at most" if load.producers > PRODUCERS else None

    def sample(self, work: Work) -> bytes:
        """Send one frame."""
        self._children[0].order(self._order(work, Load(1), is_sample=True))
        return self._children[0].answer(Sample, ANSWER_WITHIN_S).picture

    def measure(self, work: Work, load: Load, seconds: float) -> Run:
        """Let producers send."""
        children = self._children[: load.producers]
        let_go(children, [self._order(work, load)] * len(children), seconds)
        return gather(children, seconds)

    def processes(self) -> Mapping[str, Sequence[int]]:
        """Name the services."""
        found: dict[str, list[int]] = {}
        for pid in self._daemon.all_pids():
            found.setdefault(service_of(pid).partition("-")[0], []).append(pid)
        return found

    def producers(self) -> Sequence[int]:
        """All of them: those that do not send take nothing."""
        return [child.pid for child in self._children]

    def _order(self, work: Work, load: Load, *, is_sample: bool = False) -> LoadOrder:
        share = max(1, load.in_flight // load.producers)
        rate = load.frames_per_second / load.producers if load.frames_per_second is not None else None
        path = self._daemon.endpoint.removeprefix("ipc://")
        file = str(self._files[work])
        return LoadOrder(path, request_of(work), file, share, rate, self._is_lent, is_sample)


@dataclass(frozen=True, slots=True)
class Served:
    """`omnishotd serve`."""

    name: str
    is_lent: bool = False
    """Whether producers lend what comes in, in shared memory of their own, in place of sending it."""
    assignments: tuple[str, ...] = ()
    """What is not as it comes."""

    def facts(self) -> Facts:
        """Name version and settings."""
        settings = ", ".join(self.assignments) or "as it comes"
        way = "frames lie in the producer's shared memory" if self.is_lent else "frames are sent over its Unix socket"
        return Facts(versions_of("omnishotd"), f"{settings}; {way}", "")

    @contextlib.contextmanager
    def start(self, files: Mapping[Work, Path]) -> Iterator[Contender]:
        """Start a daemon, and producers that wait."""
        with contextlib.ExitStack() as stack:
            directory = Path(stack.enter_context(TemporaryDirectory(prefix="oms-")))
            daemon = stack.enter_context(_daemon(directory, self.assignments))
            children = [stack.enter_context(Child("perf.load", environment=os.environ)) for _ in range(PRODUCERS)]
            yield ServedDaemon(daemon, children, files, is_lent=self.is_lent)

    def time_start(self) -> float:
        """From the exec of `omnishotd serve` to its word that it is ready."""
        with (
            TemporaryDirectory(prefix="oms-") as directory,
            _daemon(Path(directory), self.assignments) as daemon,
        ):
            return daemon.ready_after_s


@contextlib.contextmanager
def _daemon(directory: Path, assignments: Sequence[str]) -> Iterator[Daemon]:
    """Run one. Raises `MeasurementFailed` with the last line of its log, where it does not become ready."""
    with contextlib.ExitStack() as stack:
        daemon = Daemon(directory, *assignments)
        try:
            stack.enter_context(daemon)
        except AssertionError:
            last = daemon.log[-1].strip() if daemon.log else "it said nothing"
            raise MeasurementFailed(f"the daemon did not become ready: {last}") from None
        yield daemon
