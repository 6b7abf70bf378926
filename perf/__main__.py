"""`python -m perf`: measure, show, and save where asked. It asserts no speed: only what fails to run ends it with 1."""

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from perf.harness import MeasurementFailed, contenders, measure_rounds, picture_files
from perf.machine import machine
from perf.report import Results, show
from perf.startup import measure_startup

SIDES: Final = (400, 800, 1600, 3200)
SIDE_MIN, SIDE_MAX = 301, 4000
ROUNDS, ROUNDS_MAX = 5, 100
SECONDS, SECONDS_MIN, SECONDS_MAX = 2.0, 0.1, 60.0
STARTS: Final = 5
QUICK_SIDES: Final = (400, 1600)
QUICK_ROUNDS, QUICK_SECONDS, QUICK_STARTS = 2, 0.5, 2
RESULTS_FOLDER: Final = Path(__file__).parent / "results"
CONTENDERS: Final = 6


class Arguments(argparse.Namespace):
    """The command line."""

    rounds: int | None
    seconds_each: float | None
    sides: list[int] | None
    quick: bool
    save: str | None


def main() -> int:
    """Run the benchmark. Returns the exit status."""
    arguments = _parser().parse_args(namespace=Arguments())
    sides = arguments.sides or list(QUICK_SIDES if arguments.quick else SIDES)
    rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS)
    seconds = arguments.seconds_each or (QUICK_SECONDS if arguments.quick else SECONDS)
    starts = QUICK_STARTS if arguments.quick else STARTS
    # An installed daemon finds its bytecode compiled: ours must be allowed to keep it from one start to the next.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        with _progress(1 + starts + rounds * len(sides) * CONTENDERS) as advance:
            results = measure(sides, rounds, seconds, starts, advance)
    except (MeasurementFailed, AssertionError, OSError) as error:  # AssertionError: a daemon did not start, or stop
        print(f"could not measure: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    show(results)
    if arguments.save:
        path = save(results, arguments.save)
        print(f"\nsaved as {path}")
    return 0


def measure(sides: list[int], rounds: int, seconds: float, starts: int, advance: Callable[[str], None]) -> Results:
    """Measure everything. Raises `MeasurementFailed`, or AssertionError where a daemon does not start or stop."""
    found = machine()
    heaviest = max(sides)
    with picture_files(sides) as files:
        startup = measure_startup(starts, heaviest, files[heaviest], max(seconds, 2.0), advance)
        with contenders(files) as rivals:
            measurements = measure_rounds(rivals, files, rounds, seconds, advance)
    return Results(found, rounds, seconds, startup, measurements)


def save(results: Results, name: str) -> Path:
    """Write all that was measured to `perf/results`."""
    RESULTS_FOLDER.mkdir(exist_ok=True)
    path = RESULTS_FOLDER / f"{name}.json"
    path.write_bytes(msgspec.json.encode(results) + b"\n")
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m perf", description="Measure the daemon against its own kernels.")
    parser.add_argument("--rounds", type=_within(int, 1, ROUNDS_MAX), help=f"default: {ROUNDS}")
    parser.add_argument(
        "--seconds-each",
        type=_within(float, SECONDS_MIN, SECONDS_MAX),
        help=f"of each contender at each size in each round; default: {SECONDS:g}",
    )
    parser.add_argument(
        "--sides",
        type=_within(int, SIDE_MIN, SIDE_MAX),
        nargs="+",
        metavar="PIXELS",
        help=f"of the square photographs; default: {' '.join(map(str, SIDES))}",
    )
    parser.add_argument("--quick", action="store_true", help="few and short rounds, to see that it runs")
    parser.add_argument("--save", type=_file_name, metavar="NAME", help="also write perf/results/NAME.json")
    return parser


def _within(kind: type[int] | type[float], lowest: float, highest: float) -> Callable[[str], float]:
    def convert(text: str) -> float:
        value = kind(text)
        if not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(f"{text} is not within {lowest:g}..{highest:g}")
        return value

    convert.__name__ = kind.__name__  # argparse names it in its message
    return convert


def _file_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise argparse.ArgumentTypeError("letters, digits, '.', '_' and '-', at most 64")
    return text


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show how far it is, on stderr if that is a terminal; yield what to call after each measurement."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=2) as bar:
        task = bar.add_task("starting", total=total)
        yield lambda what: bar.update(task, advance=1, description=what)


if __name__ == "__main__":
    sys.exit(main())
