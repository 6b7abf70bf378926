"""The bound on a JPEG's scans: what is counted, what is refused, and how long that takes at most."""

import time

import pytest

from ipc.errors import ErrorCode, FrameError
from stages.headers.jpeg import read_header
from stages.headers.jpeg_scans import SCANS_MAX, check_scans
from tests.photographs import photograph_jpeg
from tests.stages.jpegs import frame_header, header, scan_header, segment


def check(data: bytes, scans_max: int = SCANS_MAX) -> None:
    check_scans(data, read_header(data), scans_max)


def refusal(data: bytes) -> FrameError:
    with pytest.raises(FrameError) as caught:
        check(data)
    return caught.value


def scans(data: bytes) -> int:
    return data.count(b"\xff\xda")


def test_progressive_with_its_usual_scans_passes() -> None:
    data = photograph_jpeg(256, progressive=True)

    assert scans(data) > 5
    check(data, scans_max=scans(data))


def test_scan_bomb_is_refused() -> None:
    data = photograph_jpeg(256, progressive=True)
    last = data.rindex(b"\xff\xda")
    bomb = data[:-2] + data[last:-2] * 60 + b"\xff\xd9"

    error = refusal(bomb)

    assert error.code is ErrorCode.BAD_IMAGE
    assert "64 scans" in error.message


def test_scan_markers_outside_scans_are_not_counted() -> None:
    """As in a picture's preview or behind its end."""
    data = photograph_jpeg(256, progressive=True)
    comment = segment(0xFE, b"\xff\xda" * 1000)
    last = data.rindex(b"\xff\xda")

    check(data + data * 20)
    check(data[:last] + comment + data[last:])


def test_sequential_with_one_scan_is_not_searched_for_more() -> None:
    """libjpeg itself refuses a second scan there, so the bytes need not be read."""
    data = header(frame_header(), scan_header()) + scan_header() * 100

    check(data)


def test_sequential_with_a_scan_per_component_is_counted() -> None:
    data = header(frame_header(), scan_header(1) * 65)

    assert "64 scans" in refusal(data).message
    check(header(frame_header(), scan_header(1) * 64))


def test_segments_among_scans_are_bounded() -> None:
    data = header(frame_header(sof=0xC2), scan_header(1)) + segment(0xFE, b"\xff\xda") * 3000

    assert "1024 markers" in refusal(data).message


def test_long_run_of_fill_among_scans_takes_no_time() -> None:
    data = header(frame_header(sof=0xC2), scan_header(1) * 60) + b"\xff\xda\xff\xda" + b"\xff" * 16_000_000
    data += b"\xff\xda" * 80

    began = time.monotonic()
    refusal(data)

    assert time.monotonic() - began < 2
