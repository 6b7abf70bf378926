"""Orphans: the supervisor is killed under load, again and again; nobody outlives it, and the next starts at once."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from rich.console import Console

from omnishotd.client import Client
from tests.chaos.run import short_directory
from tests.daemon import Daemon
from tests.leftovers import segments, segments_left
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.waiting import all_ended, eventually

ROUNDS_MAX: Final = 1000
FRAMES: Final = 24
GONE_S_MAX, READY_S_MAX = 1.0, 3.0
OUTPUTS: Final = [{"operations": [{"op": "flip"}, {"op": "flip"}], "quality": 90}]


@dataclass(frozen=True, slots=True)
class Round:
    """One life of a daemon, and its end."""

    ready_after_s: float
    """From the start of the command."""
    gone_after_s: float
    """From the kill to the end of the last process."""
    left: tuple[Path, ...]
    """In shared memory."""
    wrong: int
    """Frames that were answered with another picture."""

    @property
    def is_good(self) -> bool:
        """Whether all went as it should; how soon the next one is ready, a busy machine decides."""
        return self.gone_after_s <= GONE_S_MAX and not self.left and not self.wrong


def kill_supervisors(console: Console, rounds: int) -> list[Round]:
    """Kill the supervisor so many times, with frames in work. Raises AssertionError where a start fails."""
    with short_directory() as directory:
        made = []
        for number in range(1, rounds + 1):
            made.append(_kill_one(directory))
            told = f"ready after {made[-1].ready_after_s:.2f} s, all gone {made[-1].gone_after_s:.3f} s after the kill"
            console.print(f"{number:>4} of {rounds}: {told}", highlight=False, soft_wrap=True)
    return made


def show_rounds(console: Console, rounds: list[Round]) -> int:
    """Show what came of it. Returns the exit status."""
    ready_s = sorted(each.ready_after_s for each in rounds)
    gone_s = sorted(each.gone_after_s for each in rounds)
    console.print(
        f"ready after {ready_s[len(ready_s) // 2]:.2f} s, at most {ready_s[-1]:.2f} s (aim: {READY_S_MAX:g} s); "
        f"gone after {gone_s[len(gone_s) // 2]:.3f} s, at most {gone_s[-1]:.3f} s (limit: {GONE_S_MAX:g} s); "
        f"left in shared memory: {sum(len(each.left) for each in rounds)}; "
        f"wrong pictures: {sum(each.wrong for each in rounds)}",
        highlight=False,
        soft_wrap=True,
    )
    return 0 if all(each.is_good for each in rounds) else 1


def _kill_one(directory: Path) -> Round:
    shm_before = segments()
    with Daemon(directory) as daemon, Client(endpoint=daemon.endpoint) as client:
        futures = [client.submit(numbered_jpeg(number, 400, 400), outputs=OUTPUTS) for number in range(FRAMES)]
        futures[0].result(20.0)
        processes = [psutil.Process(pid) for pid in daemon.all_pids()]
        killed_s = time.monotonic()
        daemon.process.kill()
        eventually(lambda: all_ended(processes), within_s=20.0, what="all processes have ended")
        gone_s = time.monotonic()
        wrong = sum(
            number_of_jpeg(future.result().outputs[0].data) != number
            for number, future in enumerate(futures)
            if future.done() and future.exception() is None
        )
    return Round(daemon.ready_after_s, gone_s - killed_s, tuple(segments_left(shm_before)), wrong)
