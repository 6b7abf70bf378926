"""Posture: what holds this process back, as the kernel says."""

import ctypes
from typing import Final

from ipc.telemetry import Posture

# linux/prctl.h
_PR_GET_SECCOMP: Final = 21
_PR_GET_NO_NEW_PRIVS: Final = 39

_prctl = ctypes.CDLL(None).prctl


def posture() -> Posture:
    """Ask the kernel. What it does not know counts as not in force."""
    return Posture(no_new_privileges=_ask(_PR_GET_NO_NEW_PRIVS) > 0, seccomp=_ask(_PR_GET_SECCOMP) > 0)


def _ask(option: int) -> int:
    # The kernel refuses PR_GET_NO_NEW_PRIVS unless all four further arguments are zero, over their full width.
    zero = ctypes.c_ulong(0)
    return int(_prctl(option, zero, zero, zero, zero))
