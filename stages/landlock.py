"""Landlock: shut the file system, and by newer kernels TCP, for this thread and all that it starts (landlock(7)).

By hand over ctypes: three system calls without a function in the C library. All rights that the kernel knows are
handled and none is granted, so nothing can be opened any more; what is open, mapped or connected already stays.
"""

import ctypes
import os
from typing import Final

# linux/landlock.h; the calls have these numbers on every architecture that Linux 5.13 or newer runs on.
_CREATE_RULESET: Final = 444
_RESTRICT_SELF: Final = 446
_ASK_VERSION: Final = 1

_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 5: 16}
"""By version of the interface: how many rights on files there are from then on; each has one bit."""
_TCP_RIGHTS: Final = 0b11
"""Bind and connect; since version 4."""
_SCOPES: Final = 0b11
"""Abstract unix sockets and signals do not reach beyond this process; since version 6."""

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _Ruleset(ctypes.Structure):
    """struct landlock_ruleset_attr."""

    _fields_ = (("handled_fs", ctypes.c_uint64), ("handled_net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def version() -> int:
    """Version of the kernel's interface; 0 where there is none, or it is turned off."""
    return max(int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)), 0)


def shut() -> int:
    """Shut all that this kernel can, for good, and return its version. No new privileges must hold already.

    Threads that exist already keep their rights. Raises OSError.
    """
    known = version()
    if not known:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "landlock")
    rights = max(count for since, count in _FILE_RIGHTS.items() if since <= known)
    ruleset = _Ruleset((1 << rights) - 1, _TCP_RIGHTS if known >= 4 else 0, _SCOPES if known >= 6 else 0)
    # An older kernel refuses a longer structure only where the part that it does not know is not zero.
    fd = _call(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(ctypes.sizeof(ruleset)), 0)
    try:
        _call(_RESTRICT_SELF, fd, 0)
    finally:
        os.close(fd)
    return known


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "landlock")
    return result
