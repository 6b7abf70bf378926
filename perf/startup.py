"""The daemon by itself: how soon it is ready, and what memory it takes idle and after the heaviest load."""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from perf.harness import IN_FLIGHT, Child, run_load
from perf.memory import ProcessMemory, memory_of
from tests.daemon import Daemon

SETTLE_S: Final = 2.0
"""After it is ready, or after a load: the first telemetry has been sent, and free memory given back."""


class Startup(msgspec.Struct, frozen=True):
    """What was seen of daemons with default settings."""

    ready_s: list[float]
    """Of each start: from the exec of `omnishotd serve` to its word that it is ready."""
    idle: list[ProcessMemory]
    loaded: list[ProcessMemory]
    """After the load."""
    loaded_side: int


def measure_startup(
    starts: int, side: int, picture_file: str, seconds: float, on_measured: Callable[[str], None]
) -> Startup:
    """Start a daemon so often, after once unmeasured, and give the last one a load of pictures of `side` pixels."""
    ready_s: list[float] = []
    idle: list[ProcessMemory] = []
    loaded: list[ProcessMemory] = []
    for number in range(starts + 1):
        with TemporaryDirectory(prefix="oms-") as directory, Daemon(Path(directory)) as daemon:
            if number:  # the first one found disk and bytecode cold
                ready_s.append(daemon.ready_after_s)
            if number == starts:
                time.sleep(SETTLE_S)
                idle = memory_of(daemon)
                with Child("perf.load") as producer:
                    run_load(producer, daemon.endpoint, IN_FLIGHT, picture_file, seconds)
                time.sleep(SETTLE_S)
                loaded = memory_of(daemon)
        on_measured(f"start {number} of {starts}")
    return Startup(ready_s, idle, loaded, side)
