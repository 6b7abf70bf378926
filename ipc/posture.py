"""Posture: what holds this process back, as the kernel says; and the first step, which all others ask for."""

import ctypes
import os
import resource
from typing import Final

from ipc.telemetry import Posture

# linux/prctl.h
_PR_GET_SECCOMP: Final = 21
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_GET_NO_NEW_PRIVS: Final = 39

_prctl: Final = ctypes.CDLL(None, use_errno=True).prctl


def posture(landlock: int = 0) -> Posture:
    """Ask the kernel. What it does not know counts as not in force.

    Of Landlock it tells nothing: `landlock` is the version that this process was shut by, if it was.
    """
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return Posture(
        no_new_privileges=_call(_PR_GET_NO_NEW_PRIVS) > 0,
        seccomp=_call(_PR_GET_SECCOMP) > 0,
        landlock=landlock,
        memory_limit_bytes=0 if limit == resource.RLIM_INFINITY else limit,
    )


def forbid_new_privileges() -> None:
    """No program started from here on gets rights that this process has not: set-uid files included. Raises OSError."""
    if _call(_PR_SET_NO_NEW_PRIVS, 1) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "prctl")


def _call(option: int, argument: int = 0) -> int:
    # The kernel refuses these unless all further arguments are zero, over their full width.
    zero = ctypes.c_ulong(0)
    return int(_prctl(option, ctypes.c_ulong(argument), zero, zero, zero))
