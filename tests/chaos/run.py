"""A run: a real daemon, its producers, its nemesis, and what came of it."""

import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos.aftermath import Before, troubles_after_end, troubles_at_rest
from tests.chaos.history import OK, Answered, Asked, Happening, HistoryReader
from tests.chaos.ledger import Tally, settle
from tests.chaos.nemesis import Blow, Nemesis
from tests.chaos.plan import make_plan
from tests.daemon import Daemon

SETTINGS: Final = (
    "supervisor.restarts_max=1000",
    "supervisor.hang_timeout_ms=1500",
    "pipeline.stage_timeout_ms=1000",
)
"""All others are the defaults."""
KINDS: Final = ("client", "client", "client", "bare")
"""The producers."""
RATE: Final = 30.0
"""Frames a second of each producer."""
STOP_WITHIN_S: Final = 60.0
"""The longest that a producer may wait for its last replies."""
TURN_S: Final = 0.02

Progress = Callable[[float, int, int, int], None]
"""Told now and then: seconds since the start, requests, good replies, strikes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that is known of a run."""

    seed: int
    seconds: float
    tally: Tally
    blows: list[Blow]
    troubles: list[str]
    """What was not as before when it was over."""
    retried: int
    """Frames that the last broker started again, because a worker died with them."""
    restarts: dict[str, int]
    """Of services, by cause, as the daemon counts them."""
    complaints: list[str]
    """What producers wrote to standard error."""
    log: list[str] = field(repr=False)

    @property
    def is_clean(self) -> bool:
        """Whether the ledger is, and nothing was left behind."""
        return self.tally.is_clean and not self.troubles

    def strikes(self) -> dict[str, int]:
        """Count the strikes that hit, by target and harm."""
        return dict(Counter(f"{blow.strike.target} {blow.strike.harm}" for blow in self.blows if blow.pid is not None))


class Producers:
    """The producers' processes and their histories."""

    def __init__(self, daemon: Daemon, folder: Path, seed: int) -> None:
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._readers: dict[str, HistoryReader] = {}
        self.histories: dict[str, list[Happening]] = {}
        self._complaints = (folder / "complaints.txt").open("w+b")
        self.asked = self.answered_well = 0
        for index, kind in enumerate(KINDS):
            name = f"{kind}-{index}"
            history = folder / f"{name}.jsonl"
            self.histories[name] = []
            self._readers[name] = HistoryReader(history)
            orders = {
                "kind": kind,
                "name": name,
                "index": index,
                "producers": len(KINDS),
                "seed": seed,
                "rate": RATE,
                "endpoint": daemon.endpoint,
                "history": history,
            }
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.producer", *(f"--{key}={value}" for key, value in orders.items())],
                stdin=subprocess.PIPE,
                stderr=self._complaints,
            )

    def read(self) -> None:
        """Take note of what they have done."""
        for name, reader in self._readers.items():
            for event in reader.read():
                self.histories[name].append(event)
                self.asked += isinstance(event, Asked)
                self.answered_well += isinstance(event, Answered) and event.code == OK

    def stop(self) -> None:
        """Tell all to send nothing new, and wait for their ends; whoever does not end has lost what it waits for."""
        for process in self._processes.values():
            assert process.stdin is not None
            process.stdin.close()
        deadline_s = time.monotonic() + STOP_WITHIN_S
        for process in self._processes.values():
            try:
                process.wait(max(deadline_s - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.read()

    def complaints(self) -> list[str]:
        """Return what they wrote to standard error: a producer that fails says why."""
        self._complaints.seek(0)
        return self._complaints.read().decode(errors="replace").splitlines()

    def close(self) -> None:
        """End whoever is left."""
        for process in self._processes.values():
            if process.stdin is not None:
                process.stdin.close()
            if process.poll() is None:
                process.kill()
                process.wait()
        for reader in self._readers.values():
            reader.close()
        self._complaints.close()


@contextmanager
def short_directory() -> Iterator[Path]:
    """Make a folder with a path that is short enough for a unix socket's address, and remove it."""
    directory = Path(tempfile.mkdtemp(prefix="oms-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def run(seed: int, seconds: float, progress: Progress) -> Outcome:
    """Run a daemon for so long under strikes. Raises AssertionError where it does not start or stop."""
    with ExitStack() as stack:
        directory = stack.enter_context(short_directory())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="omnishotd-chaos-"))
        with Daemon(directory, *SETTINGS) as daemon:
            before = Before.of(daemon)
            producers = Producers(daemon, Path(folder), seed)
            nemesis = Nemesis(daemon.pids, make_plan(seed, seconds))
            try:
                _let_it_rage(producers, nemesis, seconds, progress)
                nemesis.close()
                producers.stop()
                complaints = producers.complaints()
            finally:
                nemesis.close()
                producers.close()
            troubles = troubles_at_rest(daemon, before)
            metrics = daemon.metrics()
        troubles += troubles_after_end(directory, before)
    return Outcome(
        seed=seed,
        seconds=seconds,
        tally=settle(producers.histories),
        blows=nemesis.blows,
        troubles=troubles,
        retried=metrics["frames"]["retried"],
        restarts=metrics["restarts"]["by_cause"],
        complaints=complaints,
        log=daemon.log,
    )


def _let_it_rage(producers: Producers, nemesis: Nemesis, seconds: float, progress: Progress) -> None:
    began_s = time.monotonic()
    while (at_s := time.monotonic() - began_s) < seconds:
        nemesis.strike(at_s)
        producers.read()
        progress(at_s, producers.asked, producers.answered_well, len(nemesis.blows))
        select.select([], [], [], TURN_S)
