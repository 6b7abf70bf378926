"""The socket by which workers get descriptors of lent segments: both ends, in one process."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ipc import lending
from ipc.lending import LendingEnd, NothingArrived, accept, lending_path, listen, mapped_bytes_max, tell
from ipc.messages import SegmentGone, SegmentLent
from ipc.settings import FramesSettings


@pytest.fixture
def path(runtime_directory: Path) -> Path:
    return runtime_directory / "work.sock.lent"


@pytest.fixture
def listener(path: Path) -> Iterator[socket.socket]:
    with listen(path) as listener:
        yield listener


@pytest.fixture
def ends(path: Path, listener: socket.socket) -> Iterator[tuple[socket.socket, LendingEnd]]:
    """The broker's end of a connection, and the worker's."""
    with closing(LendingEnd(path, 7)) as end:
        accepted = accept(listener)
        assert accepted is not None
        assert accepted[0] == 7
        with accepted[1]:
            yield accepted[1], end


def test_worker_is_accepted_under_the_number_that_it_says(path: Path, listener: socket.socket) -> None:
    assert accept(listener) is None
    with closing(LendingEnd(path, 3)), closing(LendingEnd(path, 4)):
        accepted = [accept(listener), accept(listener), accept(listener)]

    assert [one and one[0] for one in accepted] == [3, 4, None]
    for one in accepted:
        if one is not None:
            one[1].close()


def test_one_who_says_nothing_is_not_accepted(path: Path, listener: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.connect(str(path))
        with pytest.raises(BlockingIOError):
            accept(listener)

        assert stranger.recv(1) == b"", "it is closed"


def test_descriptor_arrives_with_its_number_and_is_not_inherited(
    ends: tuple[socket.socket, LendingEnd], tmp_path: Path
) -> None:
    broker, end = ends
    (tmp_path / "segment").write_bytes(b"pixels")
    with (tmp_path / "segment").open("rb") as file:
        tell(broker, SegmentLent(12), file.fileno())
    tell(broker, SegmentGone(11))

    lent = end.receive()
    assert isinstance(lent, tuple)
    message, descriptor = lent
    assert message == SegmentLent(12)
    assert os.pread(descriptor, 9, 0) == b"pixels"
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
    assert end.receive() == SegmentGone(11)


def test_worker_does_not_wait_long_for_what_was_never_sent(
    ends: tuple[socket.socket, LendingEnd],
) -> None:
    broker, end = ends
    end._socket.settimeout(0.01)
    with pytest.raises(NothingArrived):
        end.receive()
    broker.close()
    with pytest.raises(NothingArrived, match="the broker is gone"):
        end.receive()


def test_segment_without_a_descriptor_is_nothing(ends: tuple[socket.socket, LendingEnd]) -> None:
    broker, end = ends
    tell(broker, SegmentLent(1))
    with pytest.raises(NothingArrived, match="without its descriptor"):
        end.receive()


def tell_without_end(broker: socket.socket) -> None:
    for number in range(100_000):
        tell(broker, SegmentGone(number))


def test_who_does_not_listen_blocks_nobody(ends: tuple[socket.socket, LendingEnd]) -> None:
    broker, _ = ends
    with pytest.raises(BlockingIOError):
        tell_without_end(broker)


def test_socket_is_its_owner_s_and_takes_the_place_of_one_that_was_left(path: Path) -> None:
    listen(path).close()
    with listen(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_ISSOCK(path.stat().st_mode)


def test_socket_lies_beside_the_one_of_the_frames_road() -> None:
    assert lending_path("ipc:///run/omnishotd/work.sock") == Path("/run/omnishotd/work.sock.lent")


@pytest.mark.parametrize(
    ("directory", "pixels", "wanted"),
    [("", 1_000_000, 0), ("/dev/shm", 1_000_000, lending.MAPPED_BYTES_MAX), ("/dev/shm", 100_000_000, 400_007_168)],  # noqa: S108 - not opened
)
def test_bound_of_what_is_mapped_holds_a_frame(directory: str, pixels: int, wanted: int) -> None:
    frames = FramesSettings(
        endpoints=[],
        socket_mode=0o600,
        socket_group="",
        curve_secret_key_file="",
        curve_authorized_keys="",
        max_frame_bytes=1024,
        max_pixels=pixels,
        max_side=1,
        rate_per_second=0,
        lent_directory=directory,
    )

    assert mapped_bytes_max(frames) == wanted
