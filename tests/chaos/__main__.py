"""`python -m tests.chaos`: strike a daemon's processes for a while, and account for every frame.

Ends with 1 where a frame was lost, duplicated, unexpected or wrong, or something was left behind.
"""

import argparse
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from tests.chaos.orphans import ROUNDS_MAX, kill_supervisors, show_rounds
from tests.chaos.report import save, show, show_conditions
from tests.chaos.run import Outcome, Progress, run

SECONDS, SECONDS_MAX = 120.0, 86_400.0


class Arguments(argparse.Namespace):
    """The command line."""

    seed: list[int]
    seconds: float
    json: Path | None
    log: Path | None
    kill_supervisor: int | None


def main() -> int:
    """Run. Returns the exit status."""
    arguments = _parser().parse_args(namespace=Arguments())
    # Hundreds of processes are about to be aborted: their cores would tell nothing.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    console = Console()
    try:
        if arguments.kill_supervisor is not None:
            return show_rounds(console, kill_supervisors(console, arguments.kill_supervisor))
        outcomes = [_run(console, seed, arguments) for seed in arguments.seed]
    except AssertionError as error:  # a daemon did not start, or stop
        console.print(str(error), markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        return 130
    if arguments.json is not None:
        save(arguments.json, outcomes)
    return 0 if all(outcome.is_clean for outcome in outcomes) else 1


def _run(console: Console, seed: int, arguments: Arguments) -> Outcome:
    show_conditions(console, seed, arguments.seconds)
    with _progress(arguments.seconds) as progress:
        outcome = run(seed, arguments.seconds, progress)
    show(console, outcome)
    if arguments.log is not None:
        arguments.log.write_text("".join(outcome.log), encoding="utf-8")
    return outcome


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Strike a daemon, and count its frames.")
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="one run each; default: 1")
    parser.add_argument("--seconds", type=_seconds, default=SECONDS, help=f"of each run; default: {SECONDS:g}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures there")
    parser.add_argument("--log", type=Path, metavar="FILE", help="write the daemon's log there, the last run's")
    parser.add_argument(
        "--kill-supervisor",
        type=_rounds,
        metavar="N",
        help="in place of all that: kill the supervisor N times under load, and start the daemon again",
    )
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 1 <= seconds <= SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"{text} is not within 1..{SECONDS_MAX:g}")
    return seconds


def _rounds(text: str) -> int:
    rounds = int(text)
    if not 1 <= rounds <= ROUNDS_MAX:
        raise argparse.ArgumentTypeError(f"{text} is not within 1..{ROUNDS_MAX}")
    return rounds


@contextmanager
def _progress(seconds: float) -> Iterator[Progress]:
    """Show on stderr how far it is, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    columns = (BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4) as bar:
        task = bar.add_task("starting", total=seconds)

        def tell(at_s: float, asked: int, answered: int, strikes: int) -> None:
            bar.update(task, completed=at_s, description=f"{asked} asked, {answered} ok, {strikes} strikes")

        yield tell


if __name__ == "__main__":
    sys.exit(main())
