"""Resident memory: how much of this process is present, and how much of that is its own."""

import functools
import os
from dataclasses import dataclass
from typing import Final

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_STATM_BYTES_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Resident:
    """Memory that is present. All zero where /proc does not tell."""

    total_bytes: int = 0
    """RSS: shared pages included, the arena's too."""
    private_bytes: int = 0
    """Anonymous pages: what malloc and Python hold, the kernel's word on it; libraries' code and the arena are not."""


def resident() -> Resident:
    """Ask the kernel (proc(5), statm). The first call opens a file; later ones only read, in a shut-in worker too."""
    try:
        fields = os.pread(_statm_fd(), _STATM_BYTES_MAX, 0).split()
        total, shared = int(fields[1]), int(fields[2])
    except (OSError, ValueError, IndexError):
        return Resident()
    return Resident(total * _PAGE_BYTES, max(total - shared, 0) * _PAGE_BYTES)


def mapped_bytes() -> int:
    """Address space of this process; what RLIMIT_AS limits. 0 where /proc does not tell."""
    try:
        return int(os.pread(_statm_fd(), _STATM_BYTES_MAX, 0).split()[0]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0


@functools.cache
def _statm_fd() -> int:
    """Descriptor of this process's own figures, open for as long as it lives."""
    return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
