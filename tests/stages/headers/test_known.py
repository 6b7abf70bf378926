"""Headers that are remembered: the same bytes mean the same, and nothing else does."""

import pytest

from ipc.errors import FrameError
from stages.headers.jpeg import read_header
from stages.headers.known import COUNT_MAX, HEADER_BYTES_MAX, LENGTHS_MAX, KnownHeaders
from tests.photographs import jpeg, photograph_image, photograph_jpeg


def test_known_header_is_found_by_its_bytes_whatever_follows() -> None:
    headers: KnownHeaders[str] = KnownHeaders()
    headers.add(b"header", "known")

    assert headers.find(b"header and body") == "known"
    assert headers.find(memoryview(b"header")) == "known"
    assert headers.find(b"headex and body") is None
    assert headers.find(b"head") is None


def test_headers_and_lengths_are_bounded_and_the_latest_stay() -> None:
    headers: KnownHeaders[int] = KnownHeaders()
    for number in range(COUNT_MAX + 1):
        headers.add(b"%04d" % number, number)
    for length in range(5, 5 + LENGTHS_MAX):
        headers.add(b"x" * length, -length)

    assert headers.find(b"0000, and more") is None
    assert headers.find(b"x" * 5) == -5
    assert headers.find(b"%04d, and more" % COUNT_MAX) is None


def test_header_with_metadata_is_not_kept() -> None:
    headers: KnownHeaders[int] = KnownHeaders()
    headers.add(b"x" * (HEADER_BYTES_MAX + 1), 1)

    assert headers.find(b"x" * (HEADER_BYTES_MAX + 1)) is None


def test_pictures_of_one_encoder_and_size_read_the_same_known_or_not() -> None:
    first, second = (jpeg(photograph_image(name).resize((320, 240))) for name in ("coffee.png", "chelsea.png"))

    assert first != second
    assert read_header(first) == read_header(first) == read_header(second)
    assert read_header(photograph_jpeg(48)).width == 48


def test_picture_cut_within_a_known_header_is_refused_all_the_same() -> None:
    data = photograph_jpeg(56)
    header = read_header(data)

    for length in (3, header.scans_at // 2, header.scans_at):
        with pytest.raises(FrameError):
            read_header(data[:length])
