"""A PNG's chunks before its pixels, and nothing behind them."""

import io
import struct

import pytest
from PIL import Image

from ipc.errors import ErrorCode
from ipc.pixels import Layout
from stages.headers.header import Header, Part
from stages.headers.png import CHUNKS_MAX, PROFILE_BYTES_MAX, read_header
from tests.pngs import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, SIGNATURE, chunk, ihdr
from tests.stages.headers.refusals import refusal
from tests.stages.jpegs import exif

IDAT = chunk(b"IDAT")
TURNED = exif(6)[10:]


def png(*chunks: bytes, color: int = RGB, depth: int = 8) -> bytes:
    return SIGNATURE + ihdr(7, 5, color, depth) + b"".join(chunks) + IDAT


@pytest.mark.parametrize(
    ("color", "layout", "depths"),
    [
        (GREY, Layout.GRAY, (1, 2, 4, 8, 16)),
        (RGB, Layout.RGB, (8, 16)),
        (GREY_ALPHA, Layout.RGBA, (8, 16)),
        (RGBA, Layout.RGBA, (8, 16)),
    ],
)
def test_kind_of_pixels_there_is_tells_the_layout(color: int, layout: Layout, depths: tuple[int, ...]) -> None:
    for depth in range(1, 65):
        data = png(color=color, depth=depth)
        if depth in depths:
            assert read_header(data) == Header(7, 5, layout)
        else:
            assert f"colour type {color} of {depth} bits" in refusal(read_header, data).message


@pytest.mark.parametrize("color", [1, 5, 7, 255])
def test_kind_of_pixels_there_is_not_is_refused(color: int) -> None:
    assert refusal(read_header, png(color=color)).code is ErrorCode.BAD_IMAGE


@pytest.mark.parametrize(("color", "length"), [(GREY, 2), (RGB, 6), (PALETTE, 1), (PALETTE, 256)])
def test_transparency_before_the_pixels_adds_alpha(color: int, length: int) -> None:
    palette = chunk(b"PLTE", bytes(6)) if color == PALETTE else b""

    assert read_header(png(palette, color=color)).layout is (Layout.GRAY if color == GREY else Layout.RGB)
    assert read_header(png(palette, chunk(b"tRNS", bytes(length)), color=color)).layout is Layout.RGBA


def test_transparency_behind_the_first_pixels_does_not_count() -> None:
    assert read_header(png() + chunk(b"tRNS", bytes(6))).layout is Layout.RGB


def test_turned_picture_is_told_as_such_if_told_before_the_pixels() -> None:
    data = png(chunk(b"eXIf", TURNED), chunk(b"eXIf", exif(3)[10:]))

    assert read_header(data) == Header(7, 5, Layout.RGB, 6, Part(41, 41 + len(TURNED)))
    assert read_header(data).exif == Part(data.index(TURNED), data.index(TURNED) + len(TURNED))
    assert read_header(png() + chunk(b"eXIf", TURNED)).orientation == 1


def test_animated_picture_is_its_default_one() -> None:
    stream = io.BytesIO()
    frames = [Image.new("RGBA", (9, 6), (shade, 0, 0, 255)) for shade in (0, 99, 199)]
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:])

    assert b"acTL" in stream.getvalue()
    assert read_header(stream.getvalue()) == Header(9, 6, Layout.RGBA)


def test_chunks_before_the_pixels_are_bounded() -> None:
    text = chunk(b"tEXt", b"")

    assert read_header(png(text * (CHUNKS_MAX - 1))).width == 7
    assert f"{CHUNKS_MAX} chunks" in refusal(read_header, png(text * CHUNKS_MAX)).message


def test_profile_is_bounded_before_it_is_inflated() -> None:
    assert read_header(png(chunk(b"iCCP", bytes(PROFILE_BYTES_MAX)))).width == 7
    assert "profile" in refusal(read_header, png(chunk(b"iCCP", bytes(PROFILE_BYTES_MAX + 1)))).message


def changed_ihdr(at: int, *values: int) -> bytes:
    """IHDR with some bytes changed, and its checksum right."""
    body = bytearray(ihdr(7, 5)[8:-4])
    body[at : at + len(values)] = bytes(values)
    return SIGNATURE + chunk(b"IHDR", bytes(body)) + IDAT


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (SIGNATURE, "cut off"),
        (SIGNATURE + ihdr(7, 5), "cut off"),
        (png(chunk(b"tEXt", b"long"))[: 8 + 25 + 10], "cut off"),
        (png(struct.pack(">L4s", 1 << 31, b"tEXt")), "length"),
        (png(struct.pack(">L4s", 1 << 20, b"tEXt")), "cut off"),
        (png(chunk(b"tE t", b"")), "name"),
        (png(chunk(b"IHDR", ihdr(9, 9)[8:-4])), "IHDR before"),
        (png(chunk(b"IEND", b"")), "IEND before"),
        (png(chunk(b"JUNK", b"")), "JUNK before"),
        (png(chunk(b"fdAT", bytes(9))), "fdAT before"),
        (png(color=PALETTE), "palette that is not there"),
        (png(chunk(b"PLTE", bytes(3)) * 2), "second palette"),
        (png(chunk(b"PLTE", b"")), "palette of impossible length"),
        (png(chunk(b"PLTE", bytes(4))), "palette of impossible length"),
        (png(chunk(b"PLTE", bytes(771))), "palette of impossible length"),
        (png(chunk(b"tRNS", bytes(1)), color=GREY), "tRNS"),
        (png(chunk(b"tRNS", bytes(5))), "tRNS"),
        (SIGNATURE + chunk(b"tEXt", b"") + ihdr(7, 5) + IDAT, "begin with IHDR"),
        (SIGNATURE + chunk(b"IHDR", ihdr(7, 5)[8:-4] + b"\0") + IDAT, "begin with IHDR"),
        (SIGNATURE + ihdr(7, 5)[:-1] + b"\0" + IDAT, "checksum"),
        (changed_ihdr(0, 0, 0, 0, 0), "side"),
        (changed_ihdr(4, 0, 0, 0, 0), "side"),
        (changed_ihdr(0, 0x80), "side"),
        (changed_ihdr(10, 1), "method"),
        (changed_ihdr(11, 1), "method"),
        (changed_ihdr(12, 2), "method"),
    ],
)
def test_fault_is_named(data: bytes, word: str) -> None:
    error = refusal(read_header, data)

    assert (error.code, word in error.message) == (ErrorCode.BAD_IMAGE, True), error.message


def test_picture_of_apples_own_kind_is_refused_as_such() -> None:
    error = refusal(read_header, SIGNATURE + chunk(b"CgBI", bytes(4)) + ihdr(7, 5) + IDAT)

    assert (error.code, "CgBI" in error.message) == (ErrorCode.UNSUPPORTED_FORMAT, True)
