"""Which worker gets which lent segment, and when it is taken away: real sockets and files, workers made up."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from ipc.lending import SEGMENTS_HELD_MAX, LendingEnd, NothingArrived
from ipc.messages import Encode, Extent, SegmentGone, SegmentLent, Task
from ipc.pixels import Geometry, Layout
from ipc.wire import Lent
from omnishotd.broker.crew import Batch, Job, Worker
from omnishotd.broker.lender import Lender, Unprovided
from omnishotd.broker.segments import LOOK_EVERY_US, Loan, Segments
from tests.omnishotd.broker.rig import make_frame

GEOMETRY = Geometry(1, 1, Layout.GRAY)


class Desk:
    """A lender, and workers' ends of its socket."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.segments = Segments(str(folder))
        self.lender = stack.enter_context(closing(Lender(self.segments, folder / "s")))
        self._stack = stack
        self.ends: dict[int, LendingEnd] = {}

    def come(self, incarnation: int) -> Worker:
        """Have a worker connect, and say hello."""
        end = self._stack.enter_context(closing(LendingEnd(self.folder / "s", incarnation)))
        end._socket.settimeout(0.01)
        self.ends[incarnation] = end
        self.lender.take_in()
        return Worker(incarnation, f"encode-{incarnation}", 0)

    def lend(self, name: str) -> Loan:
        (self.folder / name).write_bytes(name.encode())
        return self.segments.lend(os.geteuid(), Lent(segment=name, bytes=1), 0, is_pixels=True)

    def provide(self, worker: Worker, *loans: Loan | None, is_in_work: bool = True) -> None:
        """Give a worker a message that names these; None: one that is in the arena."""
        tasks = [task(Extent(0, 1) if loan is None else loan.extent()) for loan in loans]
        frames = [make_frame(1) for _ in loans]
        for frame, loan in zip(frames, loans, strict=True):
            frame.loan = loan
        if is_in_work:
            worker.batches.append(Batch([Job(frame, 0, [], [], []) for frame in frames]))
        self.lender.provide(worker, tasks)

    def told(self, incarnation: int) -> list[Any]:
        """What a worker was told: numbers that are gone, and contents of segments that were lent."""
        told: list[Any] = []
        while True:
            try:
                message = self.ends[incarnation].receive()
            except NothingArrived:
                return told
            if isinstance(message, SegmentGone):
                told.append(message.number)
            else:
                assert isinstance(message[0], SegmentLent)
                told.append(os.pread(message[1], 9, 0).decode())
                os.close(message[1])


def task(source: Extent) -> Task:
    return Task(1, "trace", [Encode(source, GEOMETRY, 0, b"")])


@pytest.fixture
def desk(runtime_directory: Path) -> Iterator[Desk]:
    with ExitStack() as stack:
        yield Desk(runtime_directory, stack)


def test_worker_gets_a_segment_before_the_first_message_that_names_it_and_not_again(desk: Desk) -> None:
    first, second = desk.come(1), desk.come(2)
    a, b = desk.lend("a"), desk.lend("b")
    desk.provide(first, a, None, b, a)
    desk.provide(first, b)
    desk.provide(second, b, None)

    assert desk.told(1) == ["a", "b"]
    assert desk.told(2) == ["b"]


def test_worker_that_did_not_come_or_is_gone_cannot_be_provided(desk: Desk) -> None:
    worker = desk.come(1)
    loan = desk.lend("a")
    with pytest.raises(Unprovided):
        desk.provide(Worker(2, "encode-2", 0), loan)
    desk.ends[1].close()
    with pytest.raises(Unprovided):
        desk.provide(worker, loan)
    desk.provide(worker, None)


def test_worker_keeps_few_and_loses_the_one_that_it_needed_least_recently(desk: Desk) -> None:
    worker = desk.come(1)
    loans = [desk.lend(f"{number}") for number in range(SEGMENTS_HELD_MAX + 1)]
    for loan in loans[:-1]:
        desk.provide(worker, loan, is_in_work=False)
    desk.provide(worker, loans[0], is_in_work=False)
    desk.told(1)
    desk.provide(worker, loans[-1])

    assert desk.told(1) == [loans[1].segment.number, f"{SEGMENTS_HELD_MAX}"]


def test_segment_that_a_worker_still_has_to_read_is_not_taken_away(desk: Desk) -> None:
    worker = desk.come(1)
    loans = [desk.lend(f"{number}") for number in range(SEGMENTS_HELD_MAX + 1)]
    desk.provide(worker, loans[0])
    for loan in loans[1:-1]:
        desk.provide(worker, loan, is_in_work=False)
    desk.told(1)
    desk.provide(worker, loans[-1])

    assert desk.told(1) == [loans[1].segment.number, f"{SEGMENTS_HELD_MAX}"]


def test_segment_that_was_closed_is_taken_from_all_who_have_it(desk: Desk) -> None:
    first, second = desk.come(1), desk.come(2)
    a, b = desk.lend("a"), desk.lend("b")
    desk.provide(first, a)
    desk.provide(second, b)
    desk.told(1)
    (desk.folder / "a").unlink()
    desk.lender.pass_time(LOOK_EVERY_US)

    assert desk.told(1) == [a.segment.number]
    assert desk.told(2) == ["b"]


def test_second_worker_of_the_same_number_is_not_taken_in(desk: Desk) -> None:
    worker = desk.come(1)
    first = desk.ends[1]
    desk.come(1)
    desk.provide(worker, desk.lend("a"))

    assert desk.told(1) == []
    message = first.receive()
    assert isinstance(message, tuple)
    os.close(message[1])


def test_worker_that_died_before_it_said_hello_is_forgotten(desk: Desk) -> None:
    desk.ends[1] = LendingEnd(desk.folder / "s", 1)
    desk.ends[1].close()
    desk.lender.forget(1)

    with pytest.raises(Unprovided):
        desk.provide(Worker(1, "encode-1", 0), desk.lend("a"))


def test_without_a_path_there_is_no_socket(tmp_path: Path) -> None:
    with closing(Lender(Segments(""), None)) as lender:
        lender.take_in()
        lender.forget(1)
        lender.provide(Worker(1, "encode-1", 0), [task(Extent(0, 1))])

    assert list(tmp_path.iterdir()) == []
