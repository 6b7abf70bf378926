"""libvips, called by pyvips in bare processes."""

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from perf.child import Child
from perf.contender import Contender, Facts, NotInstalled
from perf.peers.loops import Loops
from perf.versions import versions_of
from perf.work import Work

CORES: Final = len(os.sched_getaffinity(0))


class Libvips:
    """The library alone: what a server around it could do at most."""

    name = "libvips"

    def facts(self) -> Facts:
        """Look for pyvips."""
        if find_spec("pyvips") is None:
            raise NotInstalled("pyvips is not installed: make setup")
        version = versions_of("pyvips", "pyvips-binary")
        settings = (
            "a process a core, one thread each (concurrency 1), no cache of operations, malloc keeps up to 64 MiB"
        )
        return Facts(version, settings, "no requests, no messages, no isolation; resizes what the decoder has shrunk")

    @contextlib.contextmanager
    def start(self, files: Mapping[Work, Path]) -> Iterator[Contender]:
        """Start the processes."""
        self.facts()
        with contextlib.ExitStack() as stack:
            children = [stack.enter_context(Child("perf.peers.libvips_loop")) for _ in range(CORES)]
            yield Loops(children, files, "libvips")

    def time_start(self) -> float:
        """It serves nobody."""
        return math.nan
