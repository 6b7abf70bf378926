"""Aftermath: what must be as it was when a run is over, first while the daemon still lives, then when it has ended."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import psutil

from tests.daemon import Daemon
from tests.leftovers import segments, segments_left
from tests.waiting import eventually

CALM_WITHIN_S: Final = 15.0
"""The longest that a hang may take to be found, and its victim to be replaced, with room."""
SERVICES: Final = ("broker", "control", "decode", "transform", "encode")


@dataclass(frozen=True, slots=True)
class Before:
    """A daemon at rest, before anything happened to it."""

    processes: dict[str, int]
    """How many of each kind."""
    descriptors: dict[int, int]
    shm: frozenset[Path]

    @classmethod
    def of(cls, daemon: Daemon) -> Self:
        """Look at a daemon that has just become ready."""
        eventually(daemon.is_ready_again, within_s=CALM_WITHIN_S, what="the control plane says ready")
        return cls(_processes(daemon), _descriptors(daemon), frozenset(segments()))


def troubles_at_rest(daemon: Daemon, before: Before) -> list[str]:
    """Wait for the daemon to come to rest, and list what is not as before."""
    checks: list[Callable[[], object]] = [
        lambda: eventually(daemon.is_ready_again, within_s=CALM_WITHIN_S, what="ready again"),
        lambda: eventually(
            lambda: _processes(daemon) == before.processes,
            within_s=CALM_WITHIN_S,
            what=f"{before.processes} are alive",
        ),
        lambda: daemon.frames_at_rest(0),
        lambda: eventually(
            lambda: not _hoarders(daemon, before), within_s=5.0, what="survivors hold no more descriptors than before"
        ),
    ]
    troubles = []
    for check in checks:
        try:
            check()
        except AssertionError as error:
            troubles.append(str(error))
    return troubles


def troubles_after_end(directory: Path, before: Before) -> list[str]:
    """List what a daemon that has ended left behind."""
    left = [f"process {process.pid} is left" for process in _of_directory(directory)]
    return left + [f"{path} is left" for path in sorted(segments_left(before.shm))]


def _processes(daemon: Daemon) -> dict[str, int]:
    """Count the processes by kind, and those that are nobody's."""
    pids = {kind: daemon.pids(kind) for kind in SERVICES}
    known = {daemon.process.pid, *(pid for found in pids.values() for pid in found)}
    return {kind: len(found) for kind, found in pids.items()} | {"stray": len(set(daemon.all_pids()) - known)}


def _descriptors(daemon: Daemon) -> dict[int, int]:
    """Count the open descriptors of each process; one that ends meanwhile has none."""
    found = {}
    for pid in daemon.all_pids():
        try:
            found[pid] = psutil.Process(pid).num_fds()
        except psutil.NoSuchProcess:
            continue
    return found


def _hoarders(daemon: Daemon, before: Before) -> list[int]:
    now = _descriptors(daemon)
    return [pid for pid, count in before.descriptors.items() if now.get(pid, 0) > count]


def _of_directory(directory: Path) -> list[psutil.Process]:
    """Find all processes that were started for a runtime directory, whoever their parent is now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("RUNTIME_DIRECTORY") == str(directory):
                found.append(process)
        except psutil.Error:
            continue
    return found
