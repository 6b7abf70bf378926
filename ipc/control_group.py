"""Control group: how much memory the kernel lets this process and its neighbours have in all (cgroups(7)).

Shared memory counts too, and over the limit there is no error: the kernel ends a process. So who is about to take
much asks first.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_OWN_GROUPS: Final = Path("/proc/self/cgroup")
_HIERARCHIES: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """A group's limit, and the file that says so."""

    bytes: int
    file: Path


def memory_limit(own_groups: Path = _OWN_GROUPS, hierarchies: Path = _HIERARCHIES) -> MemoryLimit | None:
    """Find the lowest limit of this process's group and of all groups around it. None where nothing is told."""
    limits: list[MemoryLimit] = []
    for file in _limit_files(own_groups, hierarchies):
        # Not there, hidden, or "max".
        with suppress(OSError, ValueError):
            limits.append(MemoryLimit(int(file.read_text(encoding="ascii")), file))
    return min(limits, key=lambda limit: limit.bytes, default=None)


def _limit_files(own_groups: Path, hierarchies: Path) -> Iterator[Path]:
    try:
        lines = own_groups.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, name = hierarchies, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = hierarchies / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = top / path.lstrip("/")
        # In a container the way up from its own group may not be seen: the top is that group then.
        yield from (folder / name for folder in (group, *group.parents) if folder == top or top in folder.parents)
