"""The gate before the decoder: what it tells, what it refuses, and that nothing else comes out of it."""

import io
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Geometry, Layout
from stages.limits import Limits
from stages.picture import Picture
from stages.probe import probe
from tests.photographs import JPEGS, jpeg, photograph, photograph_image, photograph_jpeg
from tests.stages.jpegs import (
    LIMITS,
    camera_jpeg,
    exif,
    frame_header,
    header,
    oriented,
    scan_header,
    segment,
    with_segment,
)

FIXTURES = Path(__file__).parent.parent / "fixtures"


def refusal(data: bytes, limits: Limits = LIMITS) -> FrameError:
    with pytest.raises(FrameError) as caught:
        probe(data, limits)
    return caught.value


@pytest.mark.parametrize("name", JPEGS)
def test_probe_photograph_agrees_with_pillow(name: str) -> None:
    width, height = Image.open(io.BytesIO(photograph(name))).size

    assert probe(photograph(name), LIMITS) == Picture("jpeg", Geometry(width, height, Layout.RGB), 1, False)


def test_probe_gray_progressive_is_told_as_such() -> None:
    data = jpeg(photograph_image("coffee.png").convert("L"), progressive=True)

    assert probe(data, LIMITS) == Picture("jpeg", Geometry(600, 400, Layout.GRAY), 1, True)


def test_probe_four_components_are_rgb_to_be() -> None:
    data = jpeg(photograph_image("coffee.png").convert("CMYK"))

    assert probe(data, LIMITS).geometry.layout is Layout.RGB


@pytest.mark.parametrize("name", ["sof3_rgb_64.jpg", "sof3_gray_64.jpg"])
def test_probe_lossless_jpeg_is_refused(name: str) -> None:
    error = refusal((FIXTURES / name).read_bytes())

    assert error.code is ErrorCode.UNSUPPORTED_FORMAT
    assert "SOF3" in error.message


@pytest.mark.parametrize("sof", [0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF])
def test_probe_other_process_is_refused(sof: int) -> None:
    assert refusal(header(frame_header(sof=sof), scan_header())).code is ErrorCode.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("sof", [0xC0, 0xC1, 0xC2])
def test_probe_accepted_process_passes(sof: int) -> None:
    assert probe(header(frame_header(sof=sof), scan_header()), LIMITS).progressive == (sof == 0xC2)


def test_probe_lossless_hidden_behind_fill_bytes_and_segments_is_refused() -> None:
    tricky = header(segment(0xE0, frame_header()), b"\xff" * 1000, frame_header(sof=0xC3), scan_header())

    assert refusal(tricky).code is ErrorCode.UNSUPPORTED_FORMAT


@pytest.mark.parametrize(
    ("data", "code", "word"),
    [
        (b"", ErrorCode.UNSUPPORTED_FORMAT, "empty"),
        (b"no picture at all", ErrorCode.UNSUPPORTED_FORMAT, "no known"),
        (b"RIFF\0\0\0\0WAVEfmt ", ErrorCode.UNSUPPORTED_FORMAT, "no known"),
        (b"GIF88a" + bytes(20), ErrorCode.UNSUPPORTED_FORMAT, "no known"),
        (b"II*\0" + bytes(20), ErrorCode.UNSUPPORTED_FORMAT, "TIFF is not accepted"),
        (b"BM" + bytes(20), ErrorCode.UNSUPPORTED_FORMAT, "BMP"),
        (b"%PDF-1.7", ErrorCode.UNSUPPORTED_FORMAT, "PDF"),
        (b"\xff\x0a" + bytes(20), ErrorCode.UNSUPPORTED_FORMAT, "JPEG XL"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", ErrorCode.UNSUPPORTED_FORMAT, "HEIC"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", ErrorCode.BAD_IMAGE, "AVIF"),
        (b"\x89PNG\r\n\x1a\n", ErrorCode.BAD_IMAGE, "PNG"),
        (b"RIFF\0\0\0\0WEBP", ErrorCode.BAD_IMAGE, "WebP"),
        (b"GIF89a", ErrorCode.BAD_IMAGE, "GIF"),
        (b"\xff\xd8\xff", ErrorCode.BAD_IMAGE, "cut off"),
        (header(frame_header(precision=12), scan_header()), ErrorCode.UNSUPPORTED_FORMAT, "12 bits"),
        (header(frame_header(components=2), scan_header(2)), ErrorCode.UNSUPPORTED_FORMAT, "2 components"),
        (header(frame_header(width=0), scan_header()), ErrorCode.BAD_IMAGE, "0 pixels"),
        (header(frame_header(height=0), scan_header()), ErrorCode.BAD_IMAGE, "0 pixels"),
        (header(frame_header(sampling=0x51), scan_header()), ErrorCode.BAD_IMAGE, "sampling"),
        (header(frame_header(sampling=0x10), scan_header()), ErrorCode.BAD_IMAGE, "sampling"),
        (header(frame_header(), frame_header(), scan_header()), ErrorCode.BAD_IMAGE, "second frame"),
        (header(frame_header(), b"\xff\xd8", scan_header()), ErrorCode.BAD_IMAGE, "FFD8"),
        (header(frame_header(), b"\xff\xd9"), ErrorCode.BAD_IMAGE, "FFD9"),
        (header(scan_header()), ErrorCode.BAD_IMAGE, "before its frame"),
        (header(frame_header(components=1), scan_header(3)), ErrorCode.BAD_IMAGE, "scan header"),
        (header(frame_header(), segment(0xDA, b"\3")), ErrorCode.BAD_IMAGE, "scan header"),
        (header(segment(0xC0, bytes(5))), ErrorCode.BAD_IMAGE, "frame header"),
        (header(segment(0xC0, frame_header()[4:] + b"\0"), scan_header()), ErrorCode.BAD_IMAGE, "frame header"),
        (header(b"\xff\xe0junk", b"junk", frame_header()), ErrorCode.BAD_IMAGE, "cut off"),
        (header(segment(0xE0, b""), b"junk", frame_header()), ErrorCode.BAD_IMAGE, "between"),
        (header(segment(0xE0, b""), b"\xff\0", frame_header()), ErrorCode.BAD_IMAGE, "between"),
        (header(b"\xff\xe0\0\1", frame_header()), ErrorCode.BAD_IMAGE, "length"),
        (header(b"\xff\x42\0\2", frame_header()), ErrorCode.BAD_IMAGE, "FF42"),
        (header(segment(0xE0, b"") * 2000, frame_header(), scan_header()), ErrorCode.BAD_IMAGE, "1024 markers"),
        (header(b"\xff\xd0" * 2000, frame_header(), scan_header()), ErrorCode.BAD_IMAGE, "1024 markers"),
        (header(b"\xff" * 1_000_000), ErrorCode.BAD_IMAGE, "fill bytes"),
    ],
)
def test_probe_fault_is_named(data: bytes, code: ErrorCode, word: str) -> None:
    error = refusal(data)

    assert (error.code, word in error.message) == (code, True), error.message


@pytest.mark.parametrize(
    ("width", "height", "word"),
    [(16384, 8, "max_side 16383"), (8, 16384, "max_side 16383"), (10_000, 5_001, "max_pixels 50000000")],
)
def test_probe_size_over_limit_is_told_from_header(width: int, height: int, word: str) -> None:
    error = refusal(header(frame_header(width, height), scan_header()))

    assert error.code is ErrorCode.TOO_LARGE
    assert word in error.message


def test_probe_size_at_limit_passes() -> None:
    assert probe(header(frame_header(10_000, 5_000), scan_header()), LIMITS).geometry.pixels == LIMITS.max_pixels


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("kind", ["B", "H", "L"])
def test_probe_exif_orientation_is_read(orientation: int, endian: str, kind: str) -> None:
    data = with_segment(photograph_jpeg(64), exif(orientation, endian, kind))

    assert probe(data, LIMITS).orientation == orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_probe_orientation_agrees_with_pillow(orientation: int) -> None:
    data = oriented(photograph_image("chelsea.png"), orientation)

    assert Image.open(io.BytesIO(data)).getexif()[0x0112] == orientation
    assert probe(data, LIMITS).orientation == orientation


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"II*\0",
        b"XX*\0" + bytes(40),
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff" + bytes(24),
        exif(0)[10:],
        exif(9)[10:],
        exif(6)[10:30],
        exif(6)[10:].replace(b"\x12\x01\x03\0", b"\x12\x01\x07\0"),
    ],
)
def test_probe_hostile_exif_is_upright(body: bytes) -> None:
    data = with_segment(photograph_jpeg(64), segment(0xE1, b"Exif\0\0" + body))

    assert probe(data, LIMITS).orientation == 1


def test_probe_exif_cannot_reach_beyond_its_segment() -> None:
    """The entry that says "turn" lies in the next segment."""
    cut = exif(6)[4:]
    data = with_segment(photograph_jpeg(64), segment(0xE1, cut[:-14]) + cut[-14:])

    assert b"Exif" in data
    with pytest.raises(FrameError):
        probe(data, LIMITS)
    padded = with_segment(photograph_jpeg(64), segment(0xE1, cut[:-18]) + segment(0xE2, cut[-18:]))
    assert probe(padded, LIMITS).orientation == 1


def test_probe_second_exif_does_not_count() -> None:
    assert probe(with_segment(photograph_jpeg(64), exif(3) + exif(6)), LIMITS).orientation == 3


def test_probe_reads_nothing_behind_the_first_scan_header() -> None:
    """All producers wait meanwhile: what costs time by the byte is the worker's."""
    data = photograph_jpeg(256, progressive=True)
    scan = data.index(b"\xff\xda")

    assert probe(data[: scan + 2 + data[scan + 3]], LIMITS) == probe(data, LIMITS)


@pytest.mark.parametrize(("fill", "fits"), [(1, True), (1024, True), (1025, False), (16_000_000, False)])
def test_probe_fill_before_a_marker_is_bounded(fill: int, fits: bool) -> None:
    data = b"\xff\xd8" + b"\xff" * (fill - 1) + frame_header() + scan_header()

    if fits:
        assert probe(data, LIMITS).geometry.width == 8
    else:
        assert "fill bytes" in refusal(data).message


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_probe_random_bytes_raise_frame_error_only(tail: bytes, started: bool) -> None:
    try:
        probe(b"\xff\xd8\xff" + tail if started else tail, LIMITS)
    except FrameError as error:
        assert error.code in {ErrorCode.BAD_IMAGE, ErrorCode.UNSUPPORTED_FORMAT, ErrorCode.TOO_LARGE}  # noqa: PT017  # any of three, or none


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from([False, True]))
def test_probe_flipped_bits_raise_frame_error_only(data: st.DataObject, progressive: bool) -> None:
    picture = bytearray(with_segment(photograph_jpeg(64, progressive=progressive), exif(6)))
    for _ in range(data.draw(st.integers(1, 4))):
        bit = data.draw(st.integers(0, min(len(picture), 900) * 8 - 1))
        picture[bit // 8] ^= 1 << bit % 8
    try:
        found = probe(bytes(picture), LIMITS)
    except FrameError:
        return
    assert 1 <= found.orientation <= 8
    assert found.geometry.pixels <= 50_000_000


@pytest.mark.parametrize("progressive", [False, True])
def test_probe_truncated_anywhere_raises_frame_error_or_describes_the_same(progressive: bool) -> None:
    picture = with_segment(photograph_jpeg(64, progressive=progressive), exif(6))
    whole = probe(picture, LIMITS)
    first_scan = picture.index(b"\xff\xda")
    for length in range(len(picture)):
        try:
            assert probe(picture[:length], LIMITS) == whole
        except FrameError as error:
            assert length < first_scan + 14
            assert error.code is ErrorCode.BAD_IMAGE or length < 3  # noqa: PT017  # most lengths, but not all, raise


def test_probe_camera_header_costs_microseconds() -> None:
    """The broker does this for every frame. Some 10 us; the bound is generous, for it must hold on a busy machine."""
    data = camera_jpeg()
    assert probe(data, LIMITS).orientation == 6
    best = min(_probe_seconds(data) for _ in range(200))

    assert best < 60e-6


def _probe_seconds(data: bytes) -> float:
    began = time.perf_counter()
    probe(data, LIMITS)
    return time.perf_counter() - began


def test_exif_builder_is_what_pillow_reads() -> None:
    """The oracle of the tests above."""
    block = Image.Exif()
    block.load(exif(7, ">")[4:])

    assert block[0x0112] == 7
    assert struct.unpack_from(">H", exif(7), 2)[0] == len(exif(7)) - 2
