"""`python -m perf.peers.tried`: what sharp's server takes with other settings, by turns with those that are its best.

Processor time is what is compared: a machine that does other work has less to spare of it, and takes hardly more.
"""

import contextlib
import ctypes.util
import sys
from collections.abc import Mapping
from typing import Final

from perf.command import run_command
from perf.contender import Load
from perf.figures import ratios, spread
from perf.harness import take_turn
from perf.peers.roster import SHARP_PLAIN
from perf.peers.sharp import BEST, CORES, Sharp
from perf.results import Turn
from perf.sources import source_files
from perf.table import Table, print_table, ranged, rate
from perf.work import WORKS

ROUNDS: Final = 5
SECONDS: Final = 1.5
IN_FLIGHT: Final = 32
WORKS_TRIED: Final = tuple(WORKS[name] for name in ("400", "1600", "1600-full"))
JEMALLOC: Final = ctypes.util.find_library("jemalloc")

_ALTERNATIVES: Final[Mapping[str, Sharp]] = {
    "best": Sharp(),
    "over TCP": Sharp(is_tcp=True),
    "optimiseCoding on": Sharp(environment=BEST | {"SHARP_OPTIMISE": "1"}),
    "cache as it comes": Sharp(environment=BEST | {"SHARP_CACHE": ""}),
    "simd off": Sharp(environment=BEST | {"SHARP_SIMD": "0"}),
    "2 threads a process": Sharp(environment=BEST | {"UV_THREADPOOL_SIZE": "2"}),
    "4 threads a process": Sharp(environment=BEST | {"UV_THREADPOOL_SIZE": "4"}),
    "one process, a thread a core": Sharp(
        environment=BEST | {"SHARP_PROCESSES": "1", "UV_THREADPOOL_SIZE": str(CORES)}
    ),
    "one process, 4 threads": Sharp(environment=BEST | {"SHARP_PROCESSES": "1", "UV_THREADPOOL_SIZE": "4"}),
    "one process, concurrency a core": Sharp(
        environment=BEST | {"SHARP_PROCESSES": "1", "SHARP_CONCURRENCY": str(CORES)}
    ),
    "MALLOC_ARENA_MAX=1": Sharp(environment=BEST | {"MALLOC_ARENA_MAX": "1"}),
    "malloc keeps 64 MiB": Sharp(
        environment=BEST | {"MALLOC_TRIM_THRESHOLD_": str(64 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}
    ),
    "all as it comes, over TCP": SHARP_PLAIN,
}


def alternatives() -> dict[str, Sharp]:
    """Name the settings; with jemalloc where it is."""
    found = dict(_ALTERNATIVES)
    if JEMALLOC:
        found["jemalloc"] = Sharp(environment=BEST | {"LD_PRELOAD": JEMALLOC})
    return found


def measure(rounds: int) -> None:
    """Let all take turns, and print a table for each work."""
    with source_files(WORKS_TRIED) as files, contextlib.ExitStack() as stack:
        standing = {name: stack.enter_context(sharp.start(files)) for name, sharp in alternatives().items()}
        for work in WORKS_TRIED:
            turns: dict[str, list[Turn]] = {name: [] for name in standing}
            for _ in range(rounds):
                for name, contender in standing.items():
                    turns[name].append(take_turn(contender, work, Load(IN_FLIGHT), SECONDS))
            print_table(_table(work.name, turns))


def _table(title: str, turns: Mapping[str, list[Turn]]) -> Table:
    best = _taken_ms(turns["best"])
    rows = []
    for name, taken in turns.items():
        rows.append(
            (
                name,
                f"{spread(_taken_ms(taken)).median:.2f}",
                ranged(ratios(_taken_ms(taken), best)),
                rate(spread([turn.run.frames_per_second for turn in taken]).median),
                f"{max(turn.pss_bytes for turn in taken) >> 20}",
            )
        )
    columns = ("", "processor time, ms a frame", "over the best", "frames a second", "PSS, MiB")
    return Table(f"sharp, {title}, {IN_FLIGHT} in flight", columns, tuple(rows))


def _taken_ms(turns: list[Turn]) -> list[float]:
    return [sum(turn.processor_s.values()) / turn.run.frames_in_all * 1000 for turn in turns]


if __name__ == "__main__":
    sys.exit(run_command("perf.peers.tried", __doc__, ROUNDS, measure))
