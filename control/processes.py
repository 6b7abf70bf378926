"""Processes: what the kernel says of each of ours. Reads /proc, which takes a while: to be called in a thread."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """One process. None is what could not be read."""

    pid: int
    pss_bytes: int | None = None
    """Its own pages, and its share of those that it has in common with others: these add up."""
    uss_bytes: int | None = None
    """Pages that nobody else has: what would be free if it ended."""
    rss_bytes: int | None = None
    cpu_percent: float | None = None
    """Of one core, since the sample before."""
    descriptors: int | None = None
    private_bytes: int | None = None
    """Pages that are no file's and no arena's, in memory or swapped out. Only these can leak: which pages of the arena
    a process is counted for depends on what the others have touched."""


class ProcessSampler:
    """Reads the figures of children of one supervisor, and of itself; a stranger that got a number again is not read.

    `sample` is for one thread; `figures` may be read from another.
    """

    def __init__(self, supervisor_pid: int | None = None) -> None:
        self._supervisor_pid = os.getppid() if supervisor_pid is None else supervisor_pid
        self._processes: dict[str, psutil.Process] = {}
        self.figures: Mapping[str, ProcessFigures] = {}
        """Newest, by name of the service."""

    def sample(self, pids: Mapping[str, int]) -> None:
        """Read these processes, by name of the service. Those that are gone are left out."""
        figures: dict[str, ProcessFigures] = {}
        processes: dict[str, psutil.Process] = {}
        for service, pid in pids.items():
            process = self._find(service, pid)
            if process is None:
                continue
            read = self._read(process, has_interval=process is self._processes.get(service))
            # ORDER: only after reading. A process that is still the same now was the same all along.
            if process.is_running():
                figures[service] = read
                processes[service] = process
        self._processes = processes
        self.figures = figures

    def _find(self, service: str, pid: int) -> psutil.Process | None:
        # Imported at the first sample, which comes after the server is up: 20 ms of the start are saved.
        import psutil  # noqa: PLC0415

        known = self._processes.get(service)
        if known is not None and known.pid == pid and known.is_running():
            return known
        try:
            process = psutil.Process(pid)
            is_ours = self._supervisor_pid in {pid, process.ppid()}
        except psutil.Error:
            return None
        return process if is_ours else None

    def _read(self, process: psutil.Process, *, has_interval: bool) -> ProcessFigures:
        import psutil  # noqa: PLC0415 - as above

        rollup: dict[str, int] = {}
        rss_bytes = cpu_percent = descriptors = None
        with suppress(OSError):
            rollup = parse_rollup(Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii"))
        with suppress(psutil.Error):
            rss_bytes = rollup.get("Rss", process.memory_info().rss)
        with suppress(psutil.Error):
            cpu_percent = process.cpu_percent(interval=None)
        with suppress(psutil.Error):
            descriptors = process.num_fds()
        return ProcessFigures(
            pid=process.pid,
            pss_bytes=rollup.get("Pss"),
            uss_bytes=rollup["Private_Clean"] + rollup["Private_Dirty"] if rollup else None,
            rss_bytes=rss_bytes,
            # The first one only begins the interval.
            cpu_percent=cpu_percent if has_interval else None,
            descriptors=descriptors,
            private_bytes=rollup["Anonymous"] - rollup.get("LazyFree", 0) + rollup["Swap"] if rollup else None,
        )


def parse_rollup(text: str) -> dict[str, int]:
    """Read the kernel's account of a process (proc(5), smaps_rollup), in bytes. Empty if it has no pages any more."""
    figures = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "kB":
            figures[words[0].removesuffix(":")] = int(words[1]) * 1024
    return figures
