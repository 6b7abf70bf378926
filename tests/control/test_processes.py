"""The kernel's account of real processes: grown, busy, gone, and taken for another."""

import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

import psutil
import pytest

from control.processes import ProcessFigures, ProcessSampler, parse_rollup
from ipc.reservation import reserve_arena

MIB = 1 << 20

OBEY = """
import mmap, os, sys
kept = []
for line in sys.stdin:
    order, argument = line.split()
    if order == "take":
        kept.append(bytearray(os.urandom(1)) * (int(argument) << 20))
    elif order == "open":
        kept.append([open("/dev/null") for _ in range(int(argument))])
    elif order == "map":
        arena = mmap.mmap(int(argument), 0)
        for at in range(0, len(arena), 4096):
            arena[at] = 1
        kept.append(arena)
    elif order == "burn":
        sum(range(int(argument)))
    print("done", flush=True)
"""


class Child:
    """A process that does what it is told."""

    def __init__(self, *descriptors: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OBEY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=descriptors
        )
        self.order("burn 1")

    def order(self, line: str) -> None:
        """Have something done."""
        pipes: tuple[IO[str] | None, IO[str] | None] = (self.process.stdin, self.process.stdout)
        assert pipes[0] is not None
        assert pipes[1] is not None
        pipes[0].write(line + "\n")
        pipes[0].flush()
        assert pipes[1].readline() == "done\n"

    def close(self) -> None:
        """End it."""
        self.process.kill()
        with self.process:
            pass


@pytest.fixture
def child() -> Iterator[Child]:
    made = Child()
    yield made
    made.close()


@pytest.fixture
def sampler() -> ProcessSampler:
    """Of processes whose supervisor is this test."""
    return ProcessSampler(os.getpid())


def sampled(sampler: ProcessSampler, child: Child) -> ProcessFigures:
    sampler.sample({"decode-0": child.process.pid})
    return sampler.figures["decode-0"]


def known(figure: int | None) -> int:
    assert figure is not None
    return figure


def test_memory_that_a_process_takes_shows_in_every_figure(sampler: ProcessSampler, child: Child) -> None:
    before = sampled(sampler, child)
    child.order("take 50")
    after = sampled(sampler, child)

    assert after.pid == child.process.pid
    for name in ("pss_bytes", "uss_bytes", "rss_bytes", "private_bytes"):
        assert 50 * MIB <= getattr(after, name) - getattr(before, name) < 52 * MIB, name


def test_pages_of_an_arena_are_resident_but_not_private(sampler: ProcessSampler) -> None:
    descriptor = reserve_arena(40 * MIB)
    child = Child(descriptor)
    before = sampled(sampler, child)
    child.order(f"map {descriptor}")
    alone = sampled(sampler, child)
    with mmap.mmap(descriptor, 40 * MIB) as ours:
        for at in range(0, len(ours), 4096):
            ours[at] = 2
        shared = sampled(sampler, child)
    child.close()
    os.close(descriptor)

    assert known(alone.rss_bytes) - known(before.rss_bytes) >= 40 * MIB
    assert known(alone.uss_bytes) - known(before.uss_bytes) >= 40 * MIB
    assert known(shared.uss_bytes) - known(before.uss_bytes) < MIB
    assert known(shared.pss_bytes) - known(before.pss_bytes) < 21 * MIB
    assert abs(known(alone.private_bytes) - known(before.private_bytes)) < MIB


def test_open_files_are_counted(sampler: ProcessSampler, child: Child) -> None:
    before = sampled(sampler, child)
    child.order("open 7")

    assert known(sampled(sampler, child).descriptors) - known(before.descriptors) == 7


def test_processor_time_is_told_from_the_second_sample_on(sampler: ProcessSampler, child: Child) -> None:
    first = sampled(sampler, child)
    child.order("burn 20000000")
    second = sampled(sampler, child)

    assert first.cpu_percent is None
    # On a busy machine the burning is spread over a long time, and ticks make a short one look longer than it was.
    assert second.cpu_percent is not None
    assert 1 < second.cpu_percent < 150


def test_process_that_is_gone_is_left_out(sampler: ProcessSampler, child: Child) -> None:
    sampled(sampler, child)
    child.close()
    sampler.sample({"decode-0": child.process.pid, "me": os.getpid()})

    assert list(sampler.figures) == ["me"]


def test_process_that_ends_while_it_is_read_is_left_out(
    sampler: ProcessSampler, child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read then may be another's, who got the number."""
    read = sampler._read

    def read_and_end(process: psutil.Process, *, has_interval: bool) -> ProcessFigures:
        figures = read(process, has_interval=has_interval)
        child.close()
        return figures

    monkeypatch.setattr(sampler, "_read", read_and_end)
    sampler.sample({"decode-0": child.process.pid})

    assert sampler.figures == {}


def test_process_that_has_ended_and_was_not_waited_for_has_no_memory(sampler: ProcessSampler, child: Child) -> None:
    child.process.kill()
    os.waitid(os.P_PID, child.process.pid, os.WEXITED | os.WNOWAIT)
    sampler.sample({"decode-0": child.process.pid})

    assert all(figures.private_bytes is None for figures in sampler.figures.values())


def test_next_process_of_a_service_begins_its_own_interval(sampler: ProcessSampler, child: Child) -> None:
    sampled(sampler, child)
    sampled(sampler, child)
    other = Child()
    figures = sampled(sampler, other)
    other.close()

    assert (figures.pid, figures.cpu_percent) == (other.process.pid, None)


def test_stranger_is_not_read(child: Child) -> None:
    """As when the number of a process that ended was given to somebody else's."""
    sampler = ProcessSampler(1)
    sampler.sample({"decode-0": child.process.pid})

    assert sampler.figures == {}


def test_number_that_was_given_to_another_process_is_not_taken_for_the_first(
    sampler: ProcessSampler, child: Child
) -> None:
    """The number alone is not the process: the one that is known under it here began at another time."""
    sampled(sampler, child)
    other = Child()
    # Numbers come round after four million processes: here the first one is made to have had the other's.
    first = sampler._processes["decode-0"]
    began_s = first._ident[1] - 1  # type: ignore[attr-defined]  # psutil's own; two that are started at once may have one time
    first._pid, first._ident = other.process.pid, (other.process.pid, began_s)  # type: ignore[attr-defined]
    figures = sampled(sampler, other)
    other.close()

    assert figures.cpu_percent is None


def test_rollup_is_read_in_bytes_and_lines_of_another_form_are_passed_over() -> None:
    text = "5600-7ffd ---p 00000000 00:00 0   [rollup]\nRss:    40648 kB\nAnonymous:   0 kB\nTHPeligible:  0\n"

    assert parse_rollup(text) == {"Rss": 40648 * 1024, "Anonymous": 0}


def test_rollup_of_a_process_without_pages_is_empty() -> None:
    assert parse_rollup("") == {}


def test_own_process_and_its_supervisor_are_read() -> None:
    sampler = ProcessSampler()
    sampler.sample({"me": os.getpid(), "supervisor": os.getppid()})

    assert known(sampler.figures["me"].private_bytes) > MIB
    assert sampler.figures["supervisor"].pid == os.getppid()
