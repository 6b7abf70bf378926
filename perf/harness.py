"""The harness: contenders, the processes that measure them, and the rounds in which they take turns."""

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self, TypeVar

import msgspec

from omnishotd.supervisor.children import child_environment
from perf.messages import CrowdOrder, CrowdRun, IdealOrder, LoadOrder, OperatorOrder, OperatorRun, Run, Word
from tests.daemon import Daemon
from tests.photographs import photograph_jpeg

ROOT: Final = Path(__file__).parents[1]
CORES: Final = len(os.sched_getaffinity(0))
IN_FLIGHT: Final = 32
QUALITY_IN: Final = 85
ANSWER_WITHIN_S: Final = 60.0
"""Beyond the time that was ordered: for the warm frames, and for a machine that does other work."""
LINE_BYTES_MAX: Final = 64 << 20

_STAGED: Final = "pipeline.whole_frame_pixels_max=0"

Reply = TypeVar("Reply", Run, Word, OperatorRun, CrowdRun)


class MeasurementFailed(Exception):
    """A contender could not be measured."""


class Measurement(msgspec.Struct, frozen=True):
    """One run in its place."""

    round: int
    side: int
    contender: str
    run: Run


@dataclass(frozen=True, slots=True)
class Contender:
    """Something to be measured: takes a picture's file and a number of seconds."""

    name: str
    measure: Callable[[str, float], Run]


class Child:
    """A process of the benchmark, ready and waiting for orders."""

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment or child_environment(),  # as the daemon's workers have it
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        with self._process:
            pass

    def order(self, message: IdealOrder | LoadOrder | OperatorOrder | CrowdOrder | Word) -> None:
        """Give an order. Raises `MeasurementFailed`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(message) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise MeasurementFailed(f"{self._module} has ended; what it said stands above") from None

    def answer(self, kind: type[Reply], within_s: float) -> Reply:
        """Wait for an answer. Raises `MeasurementFailed`."""
        assert self._process.stdout is not None
        # A child writes one line an answer and flushes: the buffer never holds a second one.
        if not select.select([self._process.stdout], [], [], within_s)[0]:
            raise MeasurementFailed(f"{self._module} did not answer within {within_s:.0f} s")
        line = self._process.stdout.readline(LINE_BYTES_MAX)
        if not line:
            raise MeasurementFailed(f"{self._module} has ended; what it said stands above")
        return msgspec.json.decode(line, type=kind)


@contextlib.contextmanager
def picture_files(sides: Sequence[int]) -> Iterator[dict[int, str]]:
    """Write the photographs, and yield their files by side in pixels."""
    with TemporaryDirectory(prefix="oms-perf-") as folder:
        files = {}
        for side in sides:
            path = Path(folder) / f"{side}.jpg"
            path.write_bytes(photograph_jpeg(side, QUALITY_IN))
            files[side] = str(path)
        yield files


def run_ideal(children: Sequence[Child], picture_file: str, seconds: float) -> Run:
    """Measure bare processes side by side: all are warm before any begins."""
    for child in children:
        child.order(IdealOrder(picture_file, seconds))
    for child in children:
        child.answer(Word, ANSWER_WITHIN_S)
    for child in children:
        child.order(Word("go"))
    runs = [child.answer(Run, seconds + ANSWER_WITHIN_S) for child in children]
    return Run(
        frames=sum(run.frames for run in runs),
        frames_per_second=sum(run.frames_per_second for run in runs),
        latency_us=[latency_us for run in runs for latency_us in run.latency_us],
        inside_us=[],
        picture_sha256=runs[0].picture_sha256,
    )


def run_load(producer: Child, endpoint: str, in_flight: int, picture_file: str, seconds: float) -> Run:
    """Measure a daemon."""
    producer.order(LoadOrder(endpoint, picture_file, in_flight, seconds))
    return producer.answer(Run, seconds + ANSWER_WITHIN_S)


@contextlib.contextmanager
def contenders(files: dict[int, str]) -> Iterator[list[Contender]]:
    """Start all there is to be measured. Those whose turn it is not are idle."""
    with contextlib.ExitStack() as stack:
        bare = [stack.enter_context(Child("perf.ideal", *files.values())) for _ in range(CORES)]
        one_thread = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        untuned = [
            stack.enter_context(Child("perf.ideal", *files.values(), environment=one_thread)) for _ in range(CORES)
        ]
        producer = stack.enter_context(Child("perf.load", environment=os.environ))
        found = [
            Contender("ideal", lambda file, seconds: run_ideal(bare, file, seconds)),
            Contender("untuned", lambda file, seconds: run_ideal(untuned, file, seconds)),
            Contender("bare", lambda file, seconds: run_ideal(bare[:1], file, seconds)),
        ]
        for name, assignments in (("daemon", []), ("staged", [_STAGED])):
            directory = Path(stack.enter_context(TemporaryDirectory(prefix="oms-")))
            daemon = stack.enter_context(Daemon(directory, *assignments))
            found += [
                Contender(f"{name}-{in_flight}", _load_of(producer, daemon.endpoint, in_flight))
                for in_flight in (IN_FLIGHT, 1)
            ]
        yield found


def _load_of(producer: Child, endpoint: str, in_flight: int) -> Callable[[str, float], Run]:
    return lambda file, seconds: run_load(producer, endpoint, in_flight, file, seconds)


def measure_rounds(
    rivals: Sequence[Contender],
    files: dict[int, str],
    rounds: int,
    seconds: float,
    on_measured: Callable[[str], None],
) -> list[Measurement]:
    """Let all take turns at every size, another one first each round. Raises `MeasurementFailed`."""
    measurements = []
    for number in range(rounds):
        first = number % len(rivals)
        for side, file in files.items():
            for contender in [*rivals[first:], *rivals[:first]]:
                run = contender.measure(file, seconds)
                measurements.append(Measurement(number, side, contender.name, run))
                on_measured(f"round {number + 1} of {rounds}, {side} px, {contender.name}")
    check_same_work(measurements)
    return measurements


def check_same_work(measurements: Sequence[Measurement]) -> None:
    """Hold the contenders' pictures against each other. Raises `MeasurementFailed` where they differ."""
    pictures: dict[int, tuple[str, str]] = {}
    for measurement in measurements:
        seen = measurement.contender, measurement.run.picture_sha256
        contender, picture = pictures.setdefault(measurement.side, seen)
        if picture != measurement.run.picture_sha256:
            raise MeasurementFailed(
                f"{measurement.contender} and {contender} made different pictures of the one of {measurement.side} px: "
                "they did not do the same work"
            )
