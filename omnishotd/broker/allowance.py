"""Allowance: what of the machine the broker may take.

ZeroMQ bounds messages, not the parts of one that never ends, so a producer can make it take any memory. It is the
broker that pays for that, and no other process: at its limit it ends, and is started again.
"""

import resource
from typing import Final

from ipc.resident import mapped_bytes

DESCRIPTORS_MAX: Final = 16_384


def limit_memory(limit_bytes: int) -> None:
    """Let this process map no more than it has now and `limit_bytes`. To be called when arena and threads are there."""
    mapped = mapped_bytes()
    if not mapped:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = mapped + limit_bytes
    if hard == resource.RLIM_INFINITY or wanted < hard:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, wanted))


def raise_descriptors() -> int:
    """Allow this process as many descriptors as it can use and the system lets it. Returns how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_MAX)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
