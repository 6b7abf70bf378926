"""Server: a peer that is asked over HTTP, and the producers that ask it."""

import json
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import psutil

from perf.child import ANSWER_WITHIN_S, Child, gather, let_go
from perf.contender import Load, MeasurementFailed, Run
from perf.messages import Sample
from perf.peers.messages import HttpOrder
from perf.work import Work

PRODUCERS: Final = 4
READY_WITHIN_S: Final = 30.0
END_WITHIN_S: Final = 5.0
LINE_BYTES_MAX: Final = 1 << 16


class ServerProcess:
    """A server, which says in one line of JSON on stdout that it takes requests, and ends when its stdin does."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], directory: Path) -> None:
        self._name = Path(command[0]).name
        self._began_s = time.monotonic()
        self._process = subprocess.Popen(
            command, cwd=directory, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        family = self._family()
        assert self._process.stdin is not None
        self._process.stdin.close()
        for process in psutil.wait_procs(family, END_WITHIN_S)[1]:
            process.kill()
        with self._process:
            pass

    def ready(self) -> tuple[dict[str, Any], float]:
        """Wait for its line. Returns what it says, and after how many seconds. Raises `MeasurementFailed`."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], READY_WITHIN_S)[0]:
            raise MeasurementFailed(f"{self._name} was not ready within {READY_WITHIN_S:.0f} s")
        line = self._process.stdout.readline(LINE_BYTES_MAX)
        if not line:
            raise MeasurementFailed(f"{self._name} has ended; what it said stands above")
        said: dict[str, Any] = json.loads(line)
        return said, time.monotonic() - self._began_s

    def pids(self) -> list[int]:
        """It, and those it has started."""
        return [process.pid for process in self._family()]

    def _family(self) -> list[psutil.Process]:
        try:
            process = psutil.Process(self._process.pid)
            return [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


class Asked:
    """Servers that run, and producers that wait for orders."""

    def __init__(
        self,
        servers: Sequence[ServerProcess],
        addresses: Sequence[str],
        children: Sequence[Child],
        requests: Mapping[Work, tuple[bytes, str]],
    ) -> None:
        self._servers = servers
        self._addresses = addresses
        self._children = children
        self._requests = requests

    def refusal(self, work: Work, load: Load) -> str | None:
        """It takes whatever has a request."""
        if work not in self._requests:
            return "no raw pixels"
        return f"{PRODUCERS} producers at most" if load.producers > PRODUCERS else None

    def sample(self, work: Work) -> bytes:
        """Ask once."""
        self._children[0].order(self._order(work, Load(1), is_sample=True))
        return self._children[0].answer(Sample, ANSWER_WITHIN_S).picture

    def measure(self, work: Work, load: Load, seconds: float) -> Run:
        """Let producers ask."""
        children = self._children[: load.producers]
        let_go(children, [self._order(work, load)] * len(children), seconds)
        return gather(children, seconds)

    def processes(self) -> Mapping[str, Sequence[int]]:
        """The servers' own, and those that they have started."""
        return {"server": [pid for server in self._servers for pid in server.pids()]}

    def producers(self) -> Sequence[int]:
        """All of them: those that do not ask take nothing."""
        return [child.pid for child in self._children]

    def _order(self, work: Work, load: Load, *, is_sample: bool = False) -> HttpOrder:
        head, source_file = self._requests[work]
        share = max(1, load.in_flight // load.producers)
        rate = load.frames_per_second / load.producers if load.frames_per_second is not None else None
        return HttpOrder(list(self._addresses), head, source_file, share, rate, is_sample)
