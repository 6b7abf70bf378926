"""The archive: what was written last and whole comes back, whatever else is in the file."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.archive import PLACE_BYTES_MAX, Archive


@pytest.fixture
def descriptor() -> Iterator[int]:
    descriptor = os.memfd_create("archive-of-test")
    yield descriptor
    os.close(descriptor)


def test_archive_without_anything_has_nothing(descriptor: int) -> None:
    assert Archive(descriptor).read() is None


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=6))
def test_archive_read_by_the_next_process_gives_what_was_written_last(written: list[bytes]) -> None:
    descriptor = os.memfd_create("archive-of-test")
    try:
        archive = Archive(descriptor)
        for data in written:
            archive.write(data)

        assert Archive(descriptor).read() == written[-1]
    finally:
        os.close(descriptor)


def test_archive_goes_on_behind_what_it_has_read(descriptor: int) -> None:
    first = Archive(descriptor)
    for data in (b"one", b"two", b"three"):
        first.write(data)
    second = Archive(descriptor)
    second.read()
    second.write(b"four")

    assert Archive(descriptor).read() == b"four"


@pytest.mark.parametrize("place", [0, 1])
def test_archive_torn_in_one_place_gives_what_is_in_the_other(descriptor: int, place: int) -> None:
    archive = Archive(descriptor)
    archive.write(b"odd number, second place")
    archive.write(b"even number, first place")
    os.pwrite(descriptor, b"\xff", place * PLACE_BYTES_MAX + 20)

    expected = {0: b"odd number, second place", 1: b"even number, first place"}
    assert Archive(descriptor).read() == expected[place]


def test_archive_full_of_anything_gives_nothing(descriptor: int) -> None:
    os.pwrite(descriptor, b"\xff" * 4096, 0)
    os.pwrite(descriptor, b"\xff" * 4096, PLACE_BYTES_MAX)

    assert Archive(descriptor).read() is None


def test_archive_refuses_what_would_reach_into_the_other_place(descriptor: int) -> None:
    archive = Archive(descriptor)
    archive.write(b"kept")
    with pytest.raises(ValueError, match="at most"):
        archive.write(bytes(PLACE_BYTES_MAX))

    assert Archive(descriptor).read() == b"kept"
