"""`python -m perf.crowd`: what a thousand producers see when one floods the daemon and another never reads."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil

from perf.child import ANSWER_WITHIN_S, Child
from perf.command import processor_s, run_command
from perf.contender import MeasurementFailed
from perf.figures import percentile, ratios, spread
from perf.messages import CrowdOrder, CrowdRun, Word
from perf.thumbnails import picture_files
from tests.daemon import Daemon
from tests.waiting import eventually

SIDE: Final = 400
ROUNDS: Final = 5
SECONDS: Final = 5.0
MODEST_PROCESSES: Final = 4
MODEST: Final = 798
IDLE: Final = 200
FRAMES_PER_SECOND: Final = 100.0
"""Of all modest ones together."""


class Crowd:
    """A daemon and its producers."""

    def __init__(self, daemon: Daemon, picture_file: str, stack: contextlib.ExitStack) -> None:
        self._daemon = daemon
        self._picture_file = picture_file
        self._modest = [stack.enter_context(Child("perf.member")) for _ in range(MODEST_PROCESSES)]
        self._others = {manner: stack.enter_context(Child("perf.member")) for manner in ("idle", "flooding", "deaf")}
        self._broker = psutil.Process(daemon.pids("broker")[0])

    def run(self, seconds: float, *, is_quiet: bool) -> tuple[list[CrowdRun], CrowdRun | None, float]:
        """Let all loose. Returns what modest ones saw, what the flooding one did, and the broker's share of a core."""
        present = {"idle"} if is_quiet else set(self._others)
        share = MODEST // MODEST_PROCESSES
        sizes = [share + (index < MODEST % MODEST_PROCESSES) for index in range(MODEST_PROCESSES)]
        children = [*self._modest, *(child for manner, child in self._others.items() if manner in present)]
        rate = FRAMES_PER_SECOND / MODEST_PROCESSES
        for child, size in zip(self._modest, sizes, strict=True):
            child.order(CrowdOrder(self._daemon.endpoint, self._picture_file, "modest", size, rate, seconds))
        for manner in present:
            self._others[manner].order(self._order_of(manner, seconds))
        for child in children:
            child.answer(Word, ANSWER_WITHIN_S)
        before_s = processor_s(self._broker)
        for child in children:
            child.order(Word("go"))
        seen = [child.answer(CrowdRun, seconds + ANSWER_WITHIN_S) for child in self._modest]
        broker_share = (processor_s(self._broker) - before_s) / seconds
        others = {manner: self._others[manner].answer(CrowdRun, seconds + ANSWER_WITHIN_S) for manner in present}
        for run in seen:
            if run.errors or run.refused_us or run.unanswered:
                raise MeasurementFailed(f"a modest producer had {run.errors}, {len(run.refused_us)} BUSY")
        return seen, others.get("flooding"), broker_share

    @property
    def broker_bytes(self) -> int:
        """What the broker holds of memory, the arena's pages that it touched among it."""
        return int(self._broker.memory_info().rss)

    def _order_of(self, manner: str, seconds: float) -> CrowdOrder:
        if manner == "idle":
            return CrowdOrder(self._daemon.endpoint, self._picture_file, "idle", IDLE, 0, seconds)
        if manner == "flooding":
            return CrowdOrder(self._daemon.endpoint, self._picture_file, "flooding", 1, 0, seconds)
        return CrowdOrder(self._daemon.endpoint, self._picture_file, "deaf", 1, 0, seconds)


def measure(crowd: Crowd, rounds: int) -> None:
    """Take all figures, quiet and crowded by turns, and print them."""
    quiet: list[Sequence[int]] = []
    crowded: list[Sequence[int]] = []
    refused_us: list[int] = []
    floods: list[CrowdRun] = []
    shares: list[float] = []
    for number in range(rounds):
        for is_quiet in (True, False) if number % 2 else (False, True):
            seen, flood, share = crowd.run(SECONDS, is_quiet=is_quiet)
            latency_us = [one for run in seen for one in run.latency_us]
            (quiet if is_quiet else crowded).append(latency_us)
            if flood is not None:
                floods.append(flood)
                refused_us += flood.refused_us
                shares.append(share)
    ratio = ratios([percentile(one, 99) for one in crowded], [percentile(one, 99) for one in quiet])
    print(f"{MODEST} modest producers, {FRAMES_PER_SECOND:g} frames of {SIDE} px a second; {IDLE} idle ones")
    for name, rounds_us in (("quiet", quiet), ("with one that floods and one that never reads", crowded)):
        found = [spread([percentile(one, percent) / 1000 for one in rounds_us]) for percent in (50, 99)]
        print(f"{name}: p50 {found[0].median:.1f} ms, p99 {found[1].median:.1f} ms")
    print(f"p99 over quiet p99: {ratio.median:.2f} ({ratio.lowest:.2f}..{ratio.highest:.2f})")
    print(
        f"the flooding one: {spread([len(one.latency_us) / SECONDS for one in floods]).median:.0f} frames a second, "
        f"{spread([len(one.refused_us) / SECONDS for one in floods]).median:.0f} refused, "
        f"BUSY after {percentile(refused_us, 50) / 1000:.1f} ms, p99 {percentile(refused_us, 99) / 1000:.1f} ms"
    )
    print(f"the broker: {spread(shares).median:.2f} of a core, {crowd.broker_bytes >> 20} MiB resident")


@contextlib.contextmanager
def standing_crowd() -> Iterator[Crowd]:
    """Start a daemon and the processes of its producers."""
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(picture_files([SIDE]))
        folder = stack.enter_context(TemporaryDirectory(prefix="oms-"))
        daemon = stack.enter_context(Daemon(Path(folder)))
        eventually(daemon.is_ready_again, within_s=10.0, what="the control plane says that frames are taken")
        yield Crowd(daemon, files[SIDE], stack)


def run(rounds: int) -> None:
    """Measure with a daemon and producers of its own."""
    with standing_crowd() as crowd:
        measure(crowd, rounds)


if __name__ == "__main__":
    sys.exit(run_command("perf.crowd", __doc__, ROUNDS, run))
