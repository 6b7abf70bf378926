"""The arena, with real shared memory and a real child."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ipc.arena import Arena
from ipc.control_group import MemoryLimit
from ipc.messages import Extent
from ipc.reservation import SHM_PATH, ArenaUnavailable, reserve_arena
from ipc.resident import resident

MIB = 1 << 20


@pytest.fixture
def descriptor() -> Iterator[int]:
    reserved = reserve_arena(MIB)
    yield reserved
    os.close(reserved)


def test_reserved_arena_has_no_name_any_more(descriptor: int) -> None:
    assert os.fstat(descriptor).st_nlink == 0
    assert "(deleted)" in str(Path(f"/proc/self/fd/{descriptor}").readlink())


def test_reserved_arena_has_all_its_pages(descriptor: int) -> None:
    status = os.fstat(descriptor)

    assert status.st_size == MIB
    assert status.st_blocks * 512 == MIB, "a page that is only promised is a SIGBUS under load"


def test_reserved_arena_is_not_inherited_unasked(descriptor: int) -> None:
    assert not os.get_inheritable(descriptor)


def test_reserve_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """A resource tracker that finds the name still there would say so on the daemon's standard error."""
    os.close(reserve_arena(MIB))

    assert capfd.readouterr() == ("", "")


def test_arena_has_no_name_while_its_pages_are_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    links: list[int] = []
    monkeypatch.setattr(os, "posix_fallocate", lambda descriptor, *_: links.append(os.fstat(descriptor).st_nlink))
    os.close(reserve_arena(MIB))

    assert links == [0]


def test_reserve_leaves_no_resource_tracker_behind(descriptor: int) -> None:
    assert descriptor >= 0
    assert psutil.Process().children(recursive=True) == []


def test_child_writes_through_its_inherited_descriptor_what_the_parent_reads(descriptor: int) -> None:
    program = (
        "import sys; from ipc.arena import Arena; from ipc.messages import Extent\n"
        f"with Arena(int(sys.argv[1]), {MIB}) as arena: arena.write(Extent(4096, 10), b'from child')"
    )
    with Arena(descriptor, MIB) as arena:
        command = [sys.executable, "-P", "-c", program, str(descriptor)]
        subprocess.run(command, pass_fds=[descriptor], check=True, timeout=20)

        assert bytes(arena.view[4096:4106]) == b"from child"


def test_arena_outlives_the_descriptor_it_was_mapped_from() -> None:
    reserved = reserve_arena(MIB)
    arena = Arena(reserved, MIB)
    os.close(reserved)

    arena.write(Extent(0, 4), b"here")

    assert bytes(arena.view[:4]) == b"here"
    arena.close()


@pytest.mark.parametrize("size_bytes", [1 << 42, 1 << 50], ids=["more than there is", "more than can be mapped"])
def test_reserve_more_than_there_is_says_what_to_do_and_leaves_nothing(size_bytes: int) -> None:
    with pytest.raises(ArenaUnavailable) as caught:
        reserve_arena(size_bytes)

    reason = str(caught.value)
    for part in (f"{size_bytes >> 20} MiB", SHM_PATH, "free", "memory.arena_mb", "--shm-size", "TemporaryFileSystem="):
        assert part in reason
    assert "\n" not in reason
    assert psutil.Process().children(recursive=True) == []


def test_reserve_of_all_that_the_control_group_may_have_says_so_and_takes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel would end the process: there is nothing to catch."""
    monkeypatch.setattr("ipc.reservation.memory_limit", lambda: MemoryLimit(64 * MIB, Path("/group/memory.max")))
    monkeypatch.setattr("ipc.reservation.shared_memory.SharedMemory", lambda **_: pytest.fail("took memory"))

    with pytest.raises(ArenaUnavailable) as caught:
        reserve_arena(64 * MIB)

    for part in ("64 MiB", "/group/memory.max", "MemoryMax=", "memory.arena_mb"):
        assert part in str(caught.value)


def test_write_of_more_than_the_extent_raises_and_writes_nothing(descriptor: int) -> None:
    with Arena(descriptor, MIB) as arena:
        with pytest.raises(ValueError, match=r"5 bytes do not fit extent 64\+4"):
            arena.write(Extent(64, 4), b"12345")

        assert bytes(arena.view[64:80]) == bytes(16)


@pytest.mark.parametrize("extent", [Extent(MIB - 2, 4), Extent(-4, 4)])
def test_write_outside_the_arena_raises(descriptor: int, extent: Extent) -> None:
    with Arena(descriptor, MIB) as arena, pytest.raises(ValueError, match="do not fit"):
        arena.write(extent, b"1234")


def test_process_that_let_go_of_the_descriptor_has_none_of_the_arena_and_sees_all_of_it() -> None:
    reserved = reserve_arena(MIB)
    name = Path(f"/proc/self/fd/{reserved}").readlink()
    with Arena(reserved, MIB) as arena:
        assert opened().count(name) == 2
        arena.let_go_of_descriptor(reserved)
        arena.view[:4] = b"here"

        assert name not in opened()
        assert bytes(arena.view[:4]) == b"here"


def opened() -> list[Path]:
    """What this process has open; its look at the folder itself has ended by the time that it is looked at."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(link.readlink())
    return found


def test_pages_that_were_forgotten_keep_their_content_and_do_not_count_as_present(descriptor: int) -> None:
    with Arena(descriptor, MIB) as arena:
        arena.view[:] = bytes([5]) * MIB
        before = resident().total_bytes
        arena.forget_pages()
        after = resident().total_bytes

        assert before - after > MIB * 0.8
        assert arena.view[MIB - 1] == 5
