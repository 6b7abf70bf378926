"""`python -m perf.mixture`: what thumbnails see when some of all frames are progressive JPEGs of 50 megapixels.

Thumbnails come from one producer, at half of what the daemon can do of them; large ones from another, who has a few in
flight and leaves out what is due beyond that: it takes two cores to do three of them a second. In each round thumbnails
run alone and in company, by turns.
"""

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from perf.child import ANSWER_WITHIN_S, Child
from perf.command import run_command
from perf.contender import MeasurementFailed
from perf.figures import percentile, ratios, spread
from perf.messages import ClockOrder, ClockRun, Word
from perf.thumbnails import IN_FLIGHT, run_load
from tests.daemon import Daemon
from tests.photographs import photograph_jpeg
from tests.waiting import eventually

ROUNDS: Final = 5
SECONDS: Final = 6.0
SATURATION_SECONDS: Final = 2.0
SMALL_SIDE: Final = 800
LARGE_SIDE: Final = 7071
LARGE_SHARE: Final = 0.05
LARGE_IN_FLIGHT: Final = 8
RESULT_SIDES: Final = (300, 4096)
"""Of large ones: decoded at an eighth, and at full size, which takes 210 of the arena's 256 MiB."""


@dataclass(frozen=True, slots=True)
class Company:
    """What was seen with large frames of one kind, a round each."""

    small: list[ClockRun] = field(default_factory=list)
    large: list[ClockRun] = field(default_factory=list)


class Mixture:
    """A daemon and its two producers."""

    def __init__(self, daemon: Daemon, files: tuple[str, str], stack: contextlib.ExitStack) -> None:
        self._daemon = daemon
        self._files = files
        self._small = stack.enter_context(Child("perf.clocked"))
        self._large = stack.enter_context(Child("perf.clocked"))
        load = stack.enter_context(Child("perf.load", environment=os.environ))
        run = run_load(load, daemon.endpoint, IN_FLIGHT, files[0], SATURATION_SECONDS)
        self.frames_per_second = run.frames_per_second / 2
        """At which thumbnails are sent."""

    def run(self, large_result_side: int | None) -> tuple[ClockRun, ClockRun | None]:
        """Let thumbnails run, alone (None) or beside large frames that become so large. Raises `MeasurementFailed`."""
        present = [(self._small, self._order("small", self._files[0], 300, self.frames_per_second, 1 << 20))]
        if large_result_side is not None:
            rate = self.frames_per_second * LARGE_SHARE
            order = self._order("large", self._files[1], large_result_side, rate, LARGE_IN_FLIGHT)
            present.append((self._large, order))
        for child, order in present:
            child.order(order)
            child.answer(Word, ANSWER_WITHIN_S)
        for child, _ in present:
            child.order(Word("go"))
        runs = [child.answer(ClockRun, SECONDS + ANSWER_WITHIN_S) for child, _ in present]
        if any(run.unanswered for run in runs):
            raise MeasurementFailed(f"unanswered: {[run.unanswered for run in runs]}")
        return runs[0], runs[1] if len(runs) > 1 else None

    def _order(self, client: str, file: str, side: int, rate: float, in_flight_max: int) -> ClockOrder:
        return ClockOrder(self._daemon.endpoint, client, file, side, rate, in_flight_max, SECONDS)


def measure(mixture: Mixture, rounds: int) -> None:
    """Take all figures, alone and in company by turns, and print them."""
    alone: list[ClockRun] = []
    companies = {side: Company() for side in RESULT_SIDES}
    for number in range(rounds):
        turns: list[int | None] = [None, *RESULT_SIDES]
        first = number % len(turns)
        for side in [*turns[first:], *turns[:first]]:
            small, large = mixture.run(side)
            if side is None:
                alone.append(small)
                continue
            companies[side].small.append(small)
            if large is not None:
                companies[side].large.append(large)
    print(f"thumbnails of {SMALL_SIDE} px to 300 px, {mixture.frames_per_second:.0f} a second, ms")
    print(f"  alone:              {_latencies(alone)}")
    for side, company in companies.items():
        print(f"  with 50 MP to {side:4}: {_latencies(company.small)}")
        for percent in (50, 99):
            found = ratios(_percentiles(company.small, percent), _percentiles(alone, percent))
            print(f"    p{percent} over that alone: {found.median:.2f} ({found.lowest:.2f}..{found.highest:.2f})")
        _print_large(company.large)


def _print_large(runs: Sequence[ClockRun]) -> None:
    done = spread([len(run.latency_us) / SECONDS for run in runs])
    all_us = [one for run in runs for one in run.latency_us]
    took = f"p50 {percentile(all_us, 50) / 1e6:.2f} s, p99 {percentile(all_us, 99) / 1e6:.2f} s" if all_us else "none"
    print(
        f"    large ones: {done.median:.2f} a second ({done.lowest:.2f}..{done.highest:.2f}), {took}, "
        f"errors {_errors(runs)}"
    )


def _percentiles(runs: Sequence[ClockRun], percent: float) -> list[float]:
    return [percentile(run.latency_us, percent) for run in runs]


def _latencies(runs: Sequence[ClockRun]) -> str:
    found = [spread([one / 1000 for one in _percentiles(runs, percent)]) for percent in (50, 99)]
    worst = max(one for run in runs for one in run.latency_us) / 1000
    errors = _errors(runs)
    lost = f", errors {errors}" if errors else ""
    return f"p50 {found[0].median:.1f}, p99 {found[1].median:.1f}, longest {worst:.0f}{lost}"


def _errors(runs: Sequence[ClockRun]) -> dict[str, int]:
    return dict(sum((Counter(run.errors) for run in runs), Counter()))


@contextlib.contextmanager
def standing_mixture() -> Iterator[Mixture]:
    """Start a daemon and its producers, with pictures for them."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="oms-perf-")))
        small, large = folder / "small.jpg", folder / "large.jpg"
        small.write_bytes(photograph_jpeg(SMALL_SIDE))
        large.write_bytes(photograph_jpeg(LARGE_SIDE, progressive=True))
        daemon = stack.enter_context(Daemon(Path(stack.enter_context(TemporaryDirectory(prefix="oms-")))))
        eventually(daemon.is_ready_again, within_s=10.0, what="the control plane says that frames are taken")
        yield Mixture(daemon, (str(small), str(large)), stack)


def run(rounds: int) -> None:
    """Measure with a daemon and producers of its own."""
    with standing_mixture() as mixture:
        measure(mixture, rounds)


if __name__ == "__main__":
    sys.exit(run_command("perf.mixture", __doc__, ROUNDS, run))
