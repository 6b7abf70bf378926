"""`python -m tests.chaos.soak`: many frames of mixed sizes, and whether any process grows by them.

Ends with 1 where memory grows by `GROWTH_BYTES_MAX` or more in 10,000 frames, descriptors become more, the arena is not
empty at rest, a process was replaced, or a frame came back wrong.
"""

import argparse
import random
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from omnishotd.client import Client, Output, Result
from tests.chaos.run import short_directory
from tests.chaos.trend import slope
from tests.chaos.workload import Got, Wanted, Work, fault_of, make_work
from tests.daemon import Daemon
from tests.waiting import eventually

FRAMES, FRAMES_MIN, FRAMES_MAX = 100_000, 200, 100_000_000
WARM_SHARE: Final = 0.2
"""Of the frames: what comes first is not counted, as processes fill their caches and touch the arena."""
SAMPLES: Final = 100
DIFFERENT: Final = 400
"""Different frames; they are made before anything is measured."""
IN_FLIGHT: Final = 16
ANSWER_WITHIN_S: Final = 60.0
PER_FRAMES: Final = 10_000
GROWTH_BYTES_MAX: Final = 1 << 20
"""In `PER_FRAMES`, of one process and of all together."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the processes hold after so many frames."""

    frames: int
    bytes: dict[str, int]
    """Proportional set size by service, without the arena: that was reserved at the start, and touching more of it
    takes no memory. The kernel counts it as shared memory, of which there is no other."""
    arena_bytes: int
    """What all have touched of the arena by now."""
    descriptors: dict[str, int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the samples after the warm-up tell of a service, or of all."""

    service: str
    first_bytes: int
    last_bytes: int
    growth_bytes: float
    """In `PER_FRAMES`."""
    descriptors: tuple[int, int]
    """The most in the first quarter, and the fewest in the last: a connection may come and go."""

    @property
    def is_good(self) -> bool:
        """Whether it neither grows nor keeps descriptors."""
        return self.growth_bytes < GROWTH_BYTES_MAX and self.descriptors[1] <= self.descriptors[0]


class Arguments(argparse.Namespace):
    """The command line."""

    frames: int
    seed: int


def main() -> int:
    """Soak. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description="See whether frames leave a trace.")
    parser.add_argument("--frames", type=_frames, default=FRAMES, help=f"default: {FRAMES}")
    parser.add_argument("--seed", type=int, default=1, help="of the mixture; default: 1")
    arguments = parser.parse_args(namespace=Arguments())
    console = Console()
    try:
        samples, troubles, took_s = soak(arguments.frames, arguments.seed)
    except AssertionError as error:  # the daemon did not start, or stop
        console.print(str(error), markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        return 130
    return show(console, samples, troubles, took_s)


def soak(frames: int, seed: int) -> tuple[list[Sample], list[str], float]:
    """Send so many frames. Returns what was sampled, what went wrong, and how long it took in seconds."""
    works = [make_work(seed, number) for number in range(DIFFERENT)]
    order = random.Random(f"soak-{seed}")
    troubles: list[str] = []
    with short_directory() as directory, Daemon(directory) as daemon:
        eventually(daemon.is_ready_again, within_s=20.0, what="the control plane says ready")
        began_s = time.monotonic()
        pids = _services(daemon)
        samples = []
        with Client(endpoint=daemon.endpoint, timeout_s=ANSWER_WITHIN_S) as client, _progress(frames) as tell:
            for first in range(0, frames, max(frames // SAMPLES, 1)):
                count = min(max(frames // SAMPLES, 1), frames - first)
                troubles += _submit(client, order.choices(works, k=count))
                daemon.frames_at_rest(first + count)
                samples.append(_sample(first + count, pids))
                tell(first + count)
        took_s = time.monotonic() - began_s
        if _services(daemon) != pids:
            troubles.append("a process was replaced")
        troubles += [f"{name} is still in use" for name in _in_use(daemon)]
    return samples, troubles, took_s


def counted(samples: list[Sample]) -> list[Sample]:
    """Leave out those of the warm-up."""
    return [sample for sample in samples if sample.frames > WARM_SHARE * samples[-1].frames]


def judge(samples: list[Sample]) -> list[Verdict]:
    """Draw a line for each service, and for the sum of all, through what was sampled after the warm-up."""
    warm = counted(samples)
    positions = [sample.frames / PER_FRAMES for sample in warm]
    quarter = -(-len(warm) // 4)

    def verdict(name: str, bytes_of: Callable[[Sample], int], open_in: Callable[[Sample], int]) -> Verdict:
        figures = [bytes_of(sample) for sample in warm]
        descriptors = (max(map(open_in, warm[:quarter])), min(map(open_in, warm[-quarter:])))
        return Verdict(name, figures[0], figures[-1], slope(positions, figures), descriptors)

    each = [
        verdict(name, lambda sample: sample.bytes[name], lambda sample: sample.descriptors[name])  # noqa: B023
        for name in samples[0].bytes
    ]
    return [
        *each,
        verdict("all", lambda sample: sum(sample.bytes.values()), lambda sample: sum(sample.descriptors.values())),
    ]


def show(console: Console, samples: list[Sample], troubles: list[str], took_s: float) -> int:
    """Show the table. Returns the exit status."""
    frames = samples[-1].frames
    title = (
        f"{frames} frames in {took_s:.0f} s; the first {WARM_SHARE:.0%} do not count; without the arena; least squares"
    )
    table = Table("process", "PSS at first", "at last", f"per {PER_FRAMES} frames", "descriptors", title=title)
    verdicts = judge(samples)
    for each in verdicts:
        table.add_row(
            each.service,
            f"{each.first_bytes / 2**20:.1f} MiB",
            f"{each.last_bytes / 2**20:.1f} MiB",
            f"{each.growth_bytes / 2**10:+.1f} KiB",
            f"{each.descriptors[0]} -> {each.descriptors[1]}",
            style=None if each.is_good else "red",
        )
    console.print(table)
    touched = " -> ".join(f"{sample.arena_bytes / 2**20:.1f}" for sample in (counted(samples)[0], samples[-1]))
    console.print(f"touched of the arena, which is not among these: {touched} MiB", highlight=False)
    for trouble in troubles:
        console.print(trouble, style="red", markup=False, highlight=False)
    is_good = not troubles and all(each.is_good for each in verdicts)
    console.print("[green]does not grow[/green]" if is_good else "[bold red]NOT GOOD[/bold red]", highlight=False)
    return 0 if is_good else 1


def _submit(client: Client, works: list[Work]) -> list[str]:
    """Send frames, a few in flight at a time. Returns what is wrong with those that came back."""
    in_flight: deque[tuple[Work, Future[Result]]] = deque()
    faults: list[str] = []
    for work in works:
        if len(in_flight) >= IN_FLIGHT:
            faults.append(_fault(*in_flight.popleft()))
        outputs: list[Output | dict[str, object]] = list(work.outputs)
        in_flight.append((work, client.submit(work.payload, outputs=outputs, input=work.input)))
    faults += [_fault(work, future) for work, future in in_flight]
    return [fault for fault in faults if fault]


def _fault(work: Work, future: "Future[Result]") -> str:
    result = future.result()
    return fault_of(work, [Got(Wanted(one.format, one.width, one.height), one.data) for one in result.outputs])


def _services(daemon: Daemon) -> dict[str, int]:
    """Map the name of each service to its process."""
    children = psutil.Process(daemon.process.pid).children()
    return {"supervisor": daemon.process.pid} | {child.cmdline()[4]: child.pid for child in children}


def _sample(frames: int, pids: dict[str, int]) -> Sample:
    processes = {name: psutil.Process(pid) for name, pid in pids.items() if psutil.pid_exists(pid)}
    rollups = {name: _rollup(process.pid) for name, process in processes.items()}
    return Sample(
        frames,
        {name: rollup["Pss"] - rollup["Pss_Shmem"] for name, rollup in rollups.items()},
        sum(rollup["Pss_Shmem"] for rollup in rollups.values()),
        {name: process.num_fds() for name, process in processes.items()},
    )


def _rollup(pid: int) -> dict[str, int]:
    """Read the sums over a process's mappings, in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(figure.split()[0]) << 10 for name, figure in (line.split(":") for line in lines)}


def _in_use(daemon: Daemon) -> list[str]:
    metrics = daemon.metrics()
    used = {"arena": metrics["arena"]["used_bytes"], "queue": metrics["frames"]["queued"]}
    return [name for name, figure in used.items() if figure]


def _frames(text: str) -> int:
    frames = int(text)
    if not FRAMES_MIN <= frames <= FRAMES_MAX:
        raise argparse.ArgumentTypeError(f"{text} is not within {FRAMES_MIN}..{FRAMES_MAX}")
    return frames


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show on stderr how far it is, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("soak", total=total)
        yield lambda frames: bar.update(task, completed=frames)


if __name__ == "__main__":
    sys.exit(main())
