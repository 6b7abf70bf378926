"""Child: a process of the benchmark that takes orders on its stdin and answers on its stdout, a line of JSON each."""

import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self, TypeVar

import msgspec

from omnishotd.supervisor.children import child_environment
from perf.contender import MeasurementFailed, Run, together
from perf.messages import Failed, Window, Word

ROOT: Final = Path(__file__).parents[1]
ANSWER_WITHIN_S: Final = 60.0
"""Beyond the time that was ordered: for the warm frames, and for a machine that does other work."""
LINE_BYTES_MAX: Final = 64 << 20
END_WITHIN_S: Final = 5.0

_FAILED: Final = b'{"failed":'

Answer = TypeVar("Answer", bound=msgspec.Struct)


class Child:
    """A process that runs a module, ready and waiting for orders."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        interpreter: str = sys.executable,
    ) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [interpreter, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment or child_environment(),  # as the daemon's workers have it
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # It ends where its orders do, and gives back what it holds of shared memory; one in mid-work is not waited for
        # for long.
        assert self._process.stdin is not None
        with self._process:
            try:
                self._process.stdin.close()
                self._process.wait(END_WITHIN_S)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self._process.kill()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def order(self, message: msgspec.Struct) -> None:
        """Give an order. Raises `MeasurementFailed`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(message) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise MeasurementFailed(f"{self._module} has ended; what it said stands above") from None

    def answer(self, kind: type[Answer], within_s: float) -> Answer:
        """Wait for an answer. Raises `MeasurementFailed`."""
        assert self._process.stdout is not None
        # A child writes one line an answer and flushes: the buffer never holds a second one.
        if not select.select([self._process.stdout], [], [], within_s)[0]:
            raise MeasurementFailed(f"{self._module} did not answer within {within_s:.0f} s")
        line = self._process.stdout.readline(LINE_BYTES_MAX)
        if not line:
            raise MeasurementFailed(f"{self._module} has ended; what it said stands above")
        if line.startswith(_FAILED):
            raise MeasurementFailed(msgspec.json.decode(line, type=Failed).failed)
        return msgspec.json.decode(line, type=kind)


def let_go(children: Sequence[Child], orders: Sequence[msgspec.Struct], seconds: float) -> None:
    """Give each its order, wait until all are warm, and tell them the one window in which frames count."""
    for child, order in zip(children, orders, strict=True):
        child.order(order)
    for child in children:
        child.answer(Word, ANSWER_WITHIN_S)
    begin_ns = time.monotonic_ns()
    for child in children:
        child.order(Window(begin_ns, begin_ns + int(seconds * 1e9)))


def gather(children: Sequence[Child], seconds: float) -> Run:
    """Wait for the ends of what was let go, and add up what all saw. Raises `MeasurementFailed`."""
    return together([child.answer(Run, seconds + ANSWER_WITHIN_S) for child in children])
