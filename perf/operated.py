"""`python -m perf.operated`: what the operators cost the frames, and what the frames cost the operators."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlsplit

import psutil

from perf.child import ANSWER_WITHIN_S, Child, gather
from perf.command import processor_s, run_command
from perf.contender import Run
from perf.figures import percentile, ratios, spread
from perf.messages import OperatorOrder, OperatorRun
from perf.table import Table, plain
from perf.thumbnails import IN_FLIGHT, begin_load, picture_files
from tests.daemon import Daemon
from tests.waiting import eventually

SIDE: Final = 800
ROUNDS: Final = 7
SECONDS: Final = 4.0
REQUESTS_PER_SECOND: Final = 200.0
SUBSCRIBERS: Final = 50
CROWD: Final = 500


class Bench:
    """A daemon, a producer and operators."""

    def __init__(self, daemon: Daemon, producer: Child, operators: Child, picture_file: str) -> None:
        self._daemon = daemon
        self._producer = producer
        self._operators = operators
        self._picture_file = picture_file
        self._port = urlsplit(daemon.control_url).port or 0

    def load(self, seconds: float, *, asks: bool, subscribers: int = 0) -> tuple[Run, OperatorRun, float]:
        """Give frames and, beside them, operators; also the control plane's share of a core. `MeasurementFailed`."""
        control = psutil.Process(self._daemon.pids("control")[0])
        before_s, began_s = processor_s(control), time.monotonic()
        begin_load(self._producer, self._daemon.endpoint, IN_FLIGHT, self._picture_file, seconds)
        operated = self.operate(seconds, asks=asks, subscribers=subscribers)
        run = gather([self._producer], seconds)
        return run, operated, (processor_s(control) - before_s) / (time.monotonic() - began_s)

    def operate(self, seconds: float, *, asks: bool, subscribers: int = 0) -> OperatorRun:
        """Have operators alone, or none for so long."""
        rate = REQUESTS_PER_SECOND if asks else 0.0
        self._operators.order(OperatorOrder(self._port, rate, subscribers, seconds))
        return self._operators.answer(OperatorRun, seconds + ANSWER_WITHIN_S)

    def crowd_share(self, seconds: float) -> tuple[float, OperatorRun]:
        """Share of one core that the control plane takes for `CROWD` subscribers, over what it takes without any."""
        alone = self._control_share(seconds, 0)[0]
        with_them, run = self._control_share(seconds, CROWD)
        return with_them - alone, run

    def _control_share(self, seconds: float, subscribers: int) -> tuple[float, OperatorRun]:
        control = psutil.Process(self._daemon.pids("control")[0])
        before_s, began_s = processor_s(control), time.monotonic()
        run = self.operate(seconds, asks=False, subscribers=subscribers)
        return (processor_s(control) - before_s) / (time.monotonic() - began_s), run


def measure(bench: Bench, rounds: int) -> None:
    """Take all figures, quiet and operated by turns, and print them."""
    idle = bench.operate(SECONDS, asks=True)
    quiet: list[Run] = []
    operated: list[tuple[Run, OperatorRun, float]] = []
    for number in range(rounds):
        for is_operated in (False, True) if number % 2 else (True, False):
            seen = bench.load(SECONDS, asks=is_operated, subscribers=SUBSCRIBERS if is_operated else 0)
            if is_operated:
                operated.append(seen)
            else:
                quiet.append(seen[0])
    share, crowd = bench.crowd_share(2 * SECONDS)
    rates = [run.frames_per_second for run in quiet]
    ratio = ratios([run.frames_per_second for run, _, _ in operated], rates)
    own = spread([seen.cpu_us / 1e6 / SECONDS for _, seen, _ in operated])
    print(f"{SIDE} px, {IN_FLIGHT} in flight, {spread(rates).median:.0f} frames a second without operators")
    print(
        f"with {REQUESTS_PER_SECOND:g} requests a second and {SUBSCRIBERS} subscribers: "
        f"{ratio.median:.3f} ({ratio.lowest:.3f}..{ratio.highest:.3f}) of that; "
        f"the control plane took {spread([share for _, _, share in operated]).median:.3f} of a core, "
        f"the operators' own process {own.median:.3f}"
    )
    print(f"{CROWD} subscribers at 1 s: {share:.3f} of a core; {crowd.messages} messages in {2 * SECONDS:g} s")
    print()
    print(plain(latency_table(idle, [seen for _, seen, _ in operated])))


def latency_table(idle: OperatorRun, saturated: Sequence[OperatorRun]) -> Table:
    """Show how soon operators were answered."""
    rows = []
    for path in idle.latency_us:
        busy = [latency_us for run in saturated for latency_us in run.latency_us[path]]
        rows.append((path, *_percentiles(idle.latency_us[path]), *_percentiles(busy)))
    columns = ("", "idle p50", "p99", "saturated p50", "p99")
    return Table("control plane, ms from due to answered", columns, tuple(rows))


def _percentiles(latency_us: Sequence[int]) -> tuple[str, str]:
    return f"{percentile(latency_us, 50) / 1000:.2f}", f"{percentile(latency_us, 99) / 1000:.2f}"


def run(rounds: int) -> None:
    """Measure with a daemon, a producer and operators of its own."""
    with (
        picture_files([SIDE]) as files,
        TemporaryDirectory(prefix="oms-") as folder,
        Daemon(Path(folder)) as daemon,
        Child("perf.load") as producer,
        Child("perf.operator") as operators,
    ):
        eventually(daemon.is_ready_again, within_s=10.0, what="the control plane says that frames are taken")
        measure(Bench(daemon, producer, operators, files[SIDE]), rounds)


if __name__ == "__main__":
    sys.exit(run_command("perf.operated", __doc__, ROUNDS, run))
