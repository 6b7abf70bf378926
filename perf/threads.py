"""Threads: what each thread of some processes has taken of a processor, from the kernel's account (proc(5))."""

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_SWITCHES = re.compile(r"^voluntary_ctxt_switches:\s+(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Taken:
    """Of one thread or of several, since their start or between two looks."""

    processor_us: float = 0.0
    waits: int = 0
    """Times it went to sleep until something came: each is a wake-up."""

    def __add__(self, other: Self) -> "Taken":
        return Taken(self.processor_us + other.processor_us, self.waits + other.waits)

    def __sub__(self, other: Self) -> "Taken":
        return Taken(self.processor_us - other.processor_us, self.waits - other.waits)


def taken_by(processes: Mapping[str, Sequence[int]]) -> dict[tuple[str, bool], Taken]:
    """Add up, by name of the process, what its threads have taken: under False its own, under True libzmq's."""
    sums: dict[tuple[str, bool], Taken] = {}
    for name, pids in processes.items():
        for pid in pids:
            for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names are enough
                # A thread may end while it is looked at.
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    key = name, _read(pid, task, "comm").startswith("ZMQ")
                    sums[key] = sums.get(key, Taken()) + _taken(pid, task)
    return sums


def _taken(pid: int, task: str) -> Taken:
    processor_ns = int(_read(pid, task, "schedstat").split()[0])
    switches = _SWITCHES.search(_read(pid, task, "status"))
    return Taken(processor_ns / 1000, int(switches[1]) if switches else 0)


def _read(pid: int, task: str, name: str) -> str:
    return Path(f"/proc/{pid}/task/{task}/{name}").read_text(encoding="ascii")
