"""Segments that producers lend: real files, whose owner is who runs the tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipc.errors import ErrorCode, FrameError
from ipc.wire import Lent
from omnishotd.broker import segments as module
from omnishotd.broker.segments import (
    IDLE_US_MAX,
    LOOK_EVERY_US,
    OPEN_MAX,
    OPEN_OF_USER_MAX,
    Loan,
    Segments,
)

UID = os.geteuid()
PAGE = os.sysconf("SC_PAGE_SIZE")
CONTENT = bytes(range(256)) * (4 * PAGE // 256)


class Shelf:
    """A folder of segments, and those that are open; the time stands still until a test lets it pass."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.segments = Segments(str(folder))
        self.now_us = 1_000_000

    def add(self, name: str = "ring", content: bytes = CONTENT) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def lend(self, name: str = "ring", offset: int = 0, count: int = PAGE, *, is_pixels: bool = True) -> Loan:
        lent = Lent(segment=name, offset=offset, bytes=count)
        return self.segments.lend(UID, lent, self.now_us, is_pixels=is_pixels)

    def refusal(self, name: str = "ring", offset: int = 0, count: int = PAGE, uid: int | None = UID) -> FrameError:
        lent = Lent(segment=name, offset=offset, bytes=count)
        with pytest.raises(FrameError) as refused:
            self.segments.lend(uid, lent, self.now_us, is_pixels=True)
        return refused.value

    def wait(self, time_us: int) -> list[str]:
        """Let time pass, and name what was closed."""
        self.now_us += time_us
        return [segment.name for segment in self.segments.pass_time(self.now_us)]


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path)
    yield shelf
    shelf.segments.close()


def test_segment_is_opened_once_and_its_piece_is_read(shelf: Shelf) -> None:
    shelf.add()
    first, second = shelf.lend(), shelf.lend(offset=10, count=20)

    assert first.segment is second.segment
    assert second.read() == CONTENT[10:30]
    assert (first.payload_bytes, first.payload()) == (0, b"")
    assert shelf.segments.read_bytes == 20
    assert len(shelf.segments) == 1


def test_encoded_picture_is_its_frame_s_payload(shelf: Shelf) -> None:
    shelf.add()
    loan = shelf.lend(offset=5, count=300, is_pixels=False)

    assert (loan.payload_bytes, loan.payload()) == (300, CONTENT[5:305])


@pytest.mark.parametrize(
    ("offset", "count", "key"),
    [(0, len(CONTENT) + 1, "bytes"), (len(CONTENT) - 1, 2, "bytes"), (len(CONTENT), 1, "offset")],
)
def test_piece_beyond_the_end_is_refused_with_the_end(shelf: Shelf, offset: int, count: int, key: str) -> None:
    shelf.add()
    refused = shelf.refusal(offset=offset, count=count)

    assert refused.code is ErrorCode.BAD_REQUEST
    assert refused.message == f"lent.{key}: {offset} and {count} more, the segment ends at {len(CONTENT)}"


def test_segment_of_another_user_is_not_read_whoever_opened_it(shelf: Shelf) -> None:
    shelf.add()
    shelf.lend()

    assert shelf.refusal(uid=UID + 1).message == (
        "lent.segment: 'ring' is not yours: only shared memory of your own can be lent"
    )
    assert len(shelf.segments) == 1


@pytest.mark.parametrize("uid", [None, 65534])
def test_producer_of_whom_the_kernel_tells_nothing_lends_nothing(
    shelf: Shelf, uid: int | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As in a user namespace, where 65534 stands for everybody who has no number there.
    (tmp_path / "uid_map").write_text("0 1000 1\n")
    monkeypatch.setattr(module, "_USERS", tmp_path / "uid_map")
    inside = Segments(str(tmp_path))
    shelf.add()
    with pytest.raises(FrameError) as refused:
        inside.lend(uid, Lent(segment="ring", bytes=1), 0, is_pixels=True)
    inside.close()

    assert refused.value.message.startswith("lent: only over a unix socket")


def test_what_is_no_file_of_its_own_is_refused(shelf: Shelf) -> None:
    path = shelf.add()
    (shelf.folder / "link").symlink_to(path)
    (shelf.folder / "below").mkdir()
    os.mkfifo(shelf.folder / "pipe")

    told = {name: shelf.refusal(name).message for name in ("link", "below", "pipe", "none")}
    assert "cannot be read by the daemon" in told["link"]
    assert "is not yours" in told["below"]
    assert "is not yours" in told["pipe"]
    assert "there is no 'none'" in told["none"]
    assert len(shelf.segments) == 0


def test_nothing_is_borrowed_without_a_directory_or_with_one_that_is_not_there(tmp_path: Path) -> None:
    for directory in ("", str(tmp_path / "none")):
        segments = Segments(directory)
        with pytest.raises(FrameError, match="lent: not taken here"):
            segments.lend(UID, Lent(segment="ring", bytes=1), 0, is_pixels=True)
        assert not segments.is_on
        segments.close()


def test_name_that_stands_for_a_new_segment_is_opened_anew_and_the_old_one_is_read_on(shelf: Shelf) -> None:
    shelf.add(content=b"old" * PAGE)
    old = shelf.lend(count=3)
    old.hold()
    (shelf.folder / "ring").unlink()
    shelf.add(content=b"new" * PAGE)
    new = shelf.lend(count=3)

    assert (old.read(), new.read()) == (b"old", b"new")
    assert old.identity != new.identity
    assert old.segment.number != new.segment.number


def test_identity_is_the_place_and_not_the_content(shelf: Shelf) -> None:
    path = shelf.add()
    before = shelf.lend().identity
    with path.open("r+b") as file:
        file.write(b"other")

    assert shelf.lend().identity == before
    assert shelf.lend(offset=1).identity != before
    assert shelf.lend(count=PAGE - 1).identity != before


# ---- cut, or never written


def test_cut_segment_is_told_with_what_is_left(shelf: Shelf) -> None:
    path = shelf.add()
    loan, safe = shelf.lend(offset=PAGE), shelf.lend()
    os.truncate(path, PAGE + 7)

    told = f"lent.bytes: the segment was cut to {PAGE + 7} bytes while it was lent"
    with pytest.raises(FrameError, match=told):
        loan.read()
    with pytest.raises(FrameError, match=told):
        loan.extent()
    cut = loan.cut()
    assert cut is not None
    assert (cut.code, cut.message) == (ErrorCode.BAD_REQUEST, told)
    assert safe.cut() is None
    assert safe.read() == CONTENT[:PAGE]


def test_pixels_are_mapped_only_where_every_page_was_written(shelf: Shelf) -> None:
    path = shelf.add()
    assert not shelf.lend().extent().is_copied
    os.truncate(path, 64 * PAGE)

    assert not shelf.lend(count=4 * PAGE).extent().is_copied, "what was written before the hole"
    assert shelf.lend(offset=3 * PAGE, count=2 * PAGE).extent().is_copied
    assert shelf.lend(offset=32 * PAGE).extent().is_copied
    assert shelf.lend(offset=32 * PAGE).read() == bytes(PAGE)


def test_pixels_of_a_distrusted_user_are_copied_and_no_other_s(shelf: Shelf) -> None:
    shelf.add()
    loan = shelf.lend()
    shelf.segments.distrust(UID + 1)
    assert not loan.extent().is_copied
    shelf.segments.distrust(UID)

    extent = loan.extent()
    assert (extent.offset, extent.bytes, extent.segment, extent.is_copied) == (0, PAGE, loan.segment.number, True)


# ---- how long they stay open


def test_segment_without_a_name_is_closed_within_a_second_of_its_last_use(shelf: Shelf) -> None:
    path = shelf.add()
    loan = shelf.lend()
    loan.hold()
    path.unlink()

    assert shelf.wait(LOOK_EVERY_US) == []
    assert loan.read() == CONTENT[:PAGE], "what is in work goes on"
    loan.release()
    assert shelf.wait(LOOK_EVERY_US) == ["ring"]
    assert len(shelf.segments) == 0
    assert shelf.segments.next_us() is None


def test_segment_that_nobody_names_is_closed_after_a_while_and_one_in_use_is_not(shelf: Shelf) -> None:
    shelf.add("used")
    shelf.add("idle")
    shelf.lend("used").hold()
    shelf.lend("idle")

    assert shelf.wait(IDLE_US_MAX) == []
    assert shelf.wait(LOOK_EVERY_US) == ["idle"]
    assert len(shelf.segments) == 1


def test_user_s_idlest_segment_gives_way_and_those_in_use_do_not(shelf: Shelf) -> None:
    for number in range(OPEN_OF_USER_MAX):
        shelf.add(f"{number}")
        loan = shelf.lend(f"{number}")
        shelf.now_us += 1
        if number != 3:
            loan.hold()
    shelf.add("more")
    shelf.lend("more").hold()

    assert shelf.wait(LOOK_EVERY_US) == ["3"]
    shelf.add("last")
    refused = shelf.refusal("last")
    assert refused.code is ErrorCode.BUSY
    assert refused.message == f"lent.segment: {OPEN_OF_USER_MAX} others are in use, as many as may be"


def test_all_users_together_have_no_more_open_than_there_may_be(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN_OF_USER_MAX", OPEN_MAX + 1)
    for number in range(OPEN_MAX + 5):
        shelf.add(f"{number}")
        shelf.lend(f"{number}")
        shelf.now_us += 1

    assert len(shelf.segments) == OPEN_MAX
    assert shelf.wait(LOOK_EVERY_US) == [f"{number}" for number in range(5)]


def open_now() -> set[str]:
    """Descriptors of this process."""
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are enough


def test_closing_closes_every_descriptor(tmp_path: Path) -> None:
    before = open_now()
    shelf = Shelf(tmp_path)
    shelf.add()
    shelf.lend().hold()
    shelf.segments.close()

    assert open_now() == before
