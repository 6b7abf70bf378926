"""Work that is refused memory, really: in a process of its own, by a limit to its address space."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping

from ipc import heap
from ipc.resident import mapped_bytes
from stages.shortage import is_shortage


def attempt(work: Callable[[], object], limits_mib: Iterable[int]) -> None:
    """Try with no more than so much memory beyond what is mapped already, and print how each attempt ended.

    For the confined process itself: `done`, or what was raised, and whether that tells of a shortage.
    """
    for limit_mib in limits_mib:
        heap.trim()
        resource.setrlimit(resource.RLIMIT_AS, (mapped_bytes() + (limit_mib << 20), resource.RLIM_INFINITY))
        try:
            work()
        except Exception as error:  # noqa: BLE001 - told, whatever it is
            told = f"shortage {is_shortage(error)}: {type(error).__name__}: {error}"
        else:
            told = "done"
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(told)  # noqa: T201 - this is how it tells


def confined(
    program: str, *arguments: object, data: bytes | None = None, environment: Mapping[str, str] | None = None
) -> list[str]:
    """Run a program that calls `attempt`, and return what that printed. It must not end of anything."""
    ended = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        check=False,
        capture_output=True,
        timeout=100,
        input=data,
        env={**os.environ, **(environment or {})},
    )
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode().splitlines()


def endings(said: Iterable[str]) -> set[str]:
    """How attempts ended, without the words of the errors."""
    return {line.split(":")[0] for line in said}
