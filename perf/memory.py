"""Memory of processes, from the kernel's account (proc(5), smaps_rollup)."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
import psutil

_FIELD: Final = re.compile(r"^(\w+):\s+(\d+) kB$", re.MULTILINE)


class ProcessMemory(msgspec.Struct, frozen=True):
    """What one process has, in bytes."""

    pss_bytes: int
    """Its own pages, and its share of those it has in common with others: these add up to what is used."""
    uss_bytes: int
    """Pages that nobody else has: what would be free without it."""
    shared_bytes: int
    """Its share of shared memory, part of the first figure."""


def parse_rollup(text: str) -> ProcessMemory:
    """Read the kernel's text."""
    kib = {match[1]: int(match[2]) for match in _FIELD.finditer(text)}
    return ProcessMemory(
        pss_bytes=kib["Pss"] * 1024,
        uss_bytes=(kib["Private_Clean"] + kib["Private_Dirty"]) * 1024,
        shared_bytes=kib["Pss_Shmem"] * 1024,
    )


def pss_bytes_of(pids: Iterable[int]) -> int:
    """Add up what processes have now; one that has ended has nothing."""
    return sum(memory.pss_bytes for pid in pids if (memory := memory_of(pid)) is not None)


def memory_of(pid: int) -> ProcessMemory | None:
    """Look at a process. None: it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return parse_rollup(text)


def service_of(pid: int) -> str:
    """Name a process of the daemon by its command: `python -P -m module service ...`. Empty: it has ended."""
    try:
        arguments = psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return ""
    if len(arguments) < 4:
        return ""
    return "supervisor" if arguments[3] == "omnishotd.supervisor" else arguments[4]
