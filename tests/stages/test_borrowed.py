"""Lent segments as a worker has them: real files, mapped and read, and a socket pair in place of the broker's."""

import mmap
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ipc.errors import ErrorCode, FrameError
from ipc.lending import SEGMENTS_HELD_MAX, LendingEnd, NothingArrived, accept, listen, tell
from ipc.messages import Extent, SegmentGone, SegmentLent
from stages.borrowed import Borrowed

PAGE = mmap.PAGESIZE
SMALL = 16 * PAGE


class Desk:
    """A worker's borrowed segments, and the broker's end of the socket."""

    def __init__(self, folder: Path, bytes_max: int) -> None:
        self.folder = folder
        with listen(folder / "s") as listener:
            self.borrowed = Borrowed(LendingEnd(folder / "s", 1), bytes_max)
            accepted = accept(listener)
        assert accepted is not None
        self.broker: socket.socket = accepted[1]

    def lend(self, number: int, size: int = SMALL) -> Path:
        """Announce a segment that is full of its number."""
        path = self.folder / f"{number}"
        path.write_bytes(bytes([number]) * size)
        with path.open("rb") as file:
            tell(self.broker, SegmentLent(number), file.fileno())
        return path

    @property
    def mapped(self) -> list[str]:
        """Segments that this process shows, one for each mapping."""
        lines = Path("/proc/self/maps").read_text().splitlines()
        return sorted(line.rpartition("/")[2] for line in lines if f"{self.folder}/" in line)


@pytest.fixture
def desk(runtime_directory: Path) -> Iterator[Desk]:
    desk = Desk(runtime_directory, 4 * SMALL)
    with closing(desk.borrowed), desk.broker:
        yield desk


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are enough


def test_pixels_are_seen_where_they_lie_and_cannot_be_written(desk: Desk) -> None:
    path = desk.lend(7)
    view = desk.borrowed.view(Extent(PAGE + 3, 5, 7))
    with path.open("r+b") as file:
        file.seek(PAGE + 3)
        file.write(b"HELLO")

    assert bytes(view) == b"HELLO"
    assert view.readonly
    assert desk.mapped == ["7"]


def test_segment_is_mapped_once_for_all_its_frames(desk: Desk) -> None:
    desk.lend(7)
    desk.lend(8)
    for offset in range(0, SMALL, PAGE):
        assert desk.borrowed.view(Extent(offset, PAGE, 7))[0] == 7
    assert desk.borrowed.view(Extent(0, PAGE, 8))[0] == 8

    assert desk.mapped == ["7", "8"]


def test_least_recently_used_mapping_goes_first(desk: Desk) -> None:
    for number in range(1, 5):
        desk.lend(number)
        desk.borrowed.view(Extent(0, 1, number))
    desk.borrowed.view(Extent(0, 1, 1))
    desk.lend(5)
    desk.borrowed.view(Extent(0, 1, 5))

    assert desk.mapped == ["1", "3", "4", "5"]
    assert desk.borrowed.view(Extent(0, 1, 2))[0] == 2, "it is mapped again"


def test_number_of_mappings_is_bounded_too(desk: Desk) -> None:
    for number in range(1, SEGMENTS_HELD_MAX + 3):
        desk.lend(number, PAGE)
        desk.borrowed.view(Extent(0, 1, number))

    assert len(desk.mapped) == SEGMENTS_HELD_MAX


def test_of_a_segment_that_is_too_large_no_more_than_one_frame_is_mapped(desk: Desk) -> None:
    desk.lend(9, 5 * SMALL)
    view = desk.borrowed.view(Extent(SMALL + 100, 2 * PAGE, 9))

    assert bytes(view) == bytes([9]) * (2 * PAGE)
    [line] = [line for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(f"{desk.folder}/9")]
    start, end = (int(address, 16) for address in line.split()[0].split("-"))
    assert end - start == 3 * PAGE
    assert desk.borrowed.view(Extent(0, 1, 9))[0] == 9


def test_frame_behind_what_was_mapped_of_a_segment_that_grew_is_seen(desk: Desk) -> None:
    path = desk.lend(7)
    desk.borrowed.view(Extent(0, 1, 7))
    with path.open("ab") as file:
        file.write(b"more")

    assert bytes(desk.borrowed.view(Extent(SMALL, 4, 7))) == b"more"


def test_cut_segment_is_told_and_not_touched(desk: Desk) -> None:
    os.truncate(desk.lend(7), PAGE)
    for extent in (Extent(0, SMALL, 7), Extent(0, SMALL, 7, is_copied=True)):
        with pytest.raises(FrameError) as told:
            desk.borrowed.view(extent)
        assert told.value.code is ErrorCode.BAD_REQUEST
        assert told.value.message == f"lent.bytes: the segment was cut to {PAGE} bytes while it was lent"
    assert desk.mapped == []


def test_copied_pixels_are_read_and_not_mapped(desk: Desk) -> None:
    path = desk.lend(7)
    view = desk.borrowed.view(Extent(PAGE, PAGE, 7, is_copied=True))
    os.truncate(path, 0)

    assert bytes(view) == bytes([7]) * PAGE
    assert desk.mapped == []


def test_segment_that_is_gone_is_unmapped_and_closed_once_nobody_looks_at_it(desk: Desk) -> None:
    before = descriptors()
    desk.lend(7)
    view = desk.borrowed.view(Extent(0, 1, 7))
    assert desk.borrowed.is_held
    tell(desk.broker, SegmentGone(7))
    desk.borrowed.listen()
    assert desk.mapped == ["7"], "a view keeps it"
    del view

    assert desk.mapped == []
    assert descriptors() == before
    assert not desk.borrowed.is_held


def test_what_was_never_announced_is_not_waited_for_long(desk: Desk) -> None:
    desk.lend(7)
    desk.broker.close()
    with pytest.raises(NothingArrived):
        desk.borrowed.view(Extent(0, 1, 8))


def test_pages_that_are_let_go_of_keep_their_content(desk: Desk) -> None:
    desk.lend(7)
    view = desk.borrowed.view(Extent(0, SMALL, 7))
    assert sum(view) == 7 * SMALL
    desk.borrowed.forget_pages()

    assert sum(view) == 7 * SMALL
