"""Command: the head of a measurement that is run by itself, and of its process."""

import argparse
import sys
from collections.abc import Callable

import psutil

from perf.contender import MeasurementFailed


def run_command(name: str, about: str | None, rounds_default: int, measure: Callable[[int], None]) -> int:
    """Read the number of rounds from the command line, measure, and return the exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=about)
    parser.add_argument("--rounds", type=int, default=rounds_default, choices=range(1, 100), metavar="1..99")
    arguments = parser.parse_args()
    try:
        measure(arguments.rounds)
    except (MeasurementFailed, AssertionError, OSError) as error:
        print(f"could not measure: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def processor_s(process: psutil.Process) -> float:
    """Processor time that a process has taken."""
    times = process.cpu_times()
    return float(times.user + times.system)
