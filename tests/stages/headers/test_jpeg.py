"""What a JPEG's application segments tell: EXIF and colour profile."""

import io

import pytest
from PIL import Image

from ipc.errors import ErrorCode
from stages.headers.jpeg import JpegHeader, read_header
from tests.photographs import jpeg, photograph_image, photograph_jpeg
from tests.stages.headers.refusals import refusal
from tests.stages.jpegs import exif, frame_header, header, scan_header, segment, with_segment


def profile_part(number: int, count: int, body: bytes) -> bytes:
    return segment(0xE2, b"ICC_PROFILE\0" + bytes((number, count)) + body)


def profile_of(data: bytes, told: JpegHeader) -> bytes:
    return b"".join(part.of(data) for part in told.icc)


def with_segments(*segments: bytes) -> bytes:
    return header(*segments, frame_header(), scan_header())


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_profile_in_parts_is_told_in_the_order_of_their_numbers(order: tuple[int, ...]) -> None:
    bodies = {1: b"one", 2: b"", 3: b"three"}
    data = with_segments(*(profile_part(number, 3, bodies[number]) for number in order))

    assert profile_of(data, read_header(data)) == b"onethree"


def test_large_profile_that_pillow_wrote_is_told_whole() -> None:
    profile = bytes(range(256)) * 600
    data = jpeg(photograph_image("coffee.png").resize((64, 48)), icc_profile=profile)
    told = read_header(data)

    assert len(told.icc) == 3
    assert profile_of(data, told) == profile == Image.open(io.BytesIO(data)).info["icc_profile"]


@pytest.mark.parametrize(
    "segments",
    [
        (profile_part(2, 2, b"two"),),
        (profile_part(1, 2, b"one"),),
        (profile_part(1, 2, b"one"), profile_part(1, 2, b"one")),
        (profile_part(1, 1, b"one"), profile_part(1, 1, b"one")),
        (profile_part(1, 2, b"one"), profile_part(2, 3, b"two")),
        (profile_part(0, 2, b"zero"), profile_part(1, 2, b"one")),
        (profile_part(1, 0, b"one"),),
        (segment(0xE2, b"ICC_PROFILE\0\1"),),
        (segment(0xE2, b"ICC_PROFILX\0\1\1body"),),
        (segment(0xE1, b"ICC_PROFILE\0\1\1body"),),
    ],
)
def test_profile_that_lacks_a_part_or_has_one_twice_is_none(segments: tuple[bytes, ...]) -> None:
    assert read_header(with_segments(*segments)).icc == ()


def test_exif_is_told_without_its_mark_and_the_first_counts() -> None:
    data = with_segment(photograph_jpeg(64), exif(6) + exif(3))
    told = read_header(data)

    assert told.exif is not None
    assert told.exif.of(data) == exif(6)[10:]


def test_known_header_tells_the_same_parts() -> None:
    """Two files of the same header, and one of other metadata."""
    head = (exif(6), profile_part(1, 1, b"profile"))
    first = with_segments(*head) + b"scan"
    second = with_segments(*head) + b"another scan, which is longer"
    other = with_segments(exif(6), profile_part(1, 1, b"another"))

    told = read_header(first)
    again = read_header(second)

    assert again is told
    assert profile_of(second, again) == b"profile"
    assert profile_of(other, read_header(other)) == b"another"


@pytest.mark.parametrize(("marker", "name"), [(0xDE, "hierarchical"), (0xF7, "JPEG-LS")])
def test_process_that_begins_with_a_marker_of_its_own_is_refused_by_name(marker: int, name: str) -> None:
    error = refusal(read_header, header(segment(marker, bytes(15)), scan_header()))

    assert (error.code, name in error.message) == (ErrorCode.UNSUPPORTED_FORMAT, True)
