"""Memory of the daemon's processes, from the kernel's account (proc(5), smaps_rollup)."""

import re
from pathlib import Path

import msgspec
import psutil

from tests.daemon import Daemon

_FIELD = re.compile(r"^(\w+):\s+(\d+) kB$", re.MULTILINE)


class ProcessMemory(msgspec.Struct, frozen=True):
    """One process's memory, in bytes."""

    service: str
    pss_bytes: int
    """Its own pages, and its share of those it has in common with others: these add up to what is used."""
    uss_bytes: int
    """Pages that nobody else has: what would be free without it."""
    arena_bytes: int
    """Its share of shared memory, part of the first figure."""


def parse_rollup(service: str, text: str) -> ProcessMemory:
    """Read the kernel's text."""
    kib = {match[1]: int(match[2]) for match in _FIELD.finditer(text)}
    return ProcessMemory(
        service=service,
        pss_bytes=kib["Pss"] * 1024,
        uss_bytes=(kib["Private_Clean"] + kib["Private_Dirty"]) * 1024,
        arena_bytes=kib["Pss_Shmem"] * 1024,
    )


def memory_of(daemon: Daemon) -> list[ProcessMemory]:
    """List the daemon's processes and what they use now, the supervisor first."""
    return [
        parse_rollup(_service(pid), Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"))
        for pid in daemon.all_pids()
    ]


def _service(pid: int) -> str:
    """Name a process by its command: `python -P -m module service ...`."""
    arguments = psutil.Process(pid).cmdline()
    if arguments[3] == "omnishotd.supervisor":
        return "supervisor"
    return arguments[4]
