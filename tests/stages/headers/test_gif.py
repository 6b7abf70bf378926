"""A GIF's blocks before its first frame."""

import io
import struct

import pytest
from PIL import Image

from ipc.errors import ErrorCode
from ipc.pixels import Layout
from stages.headers.gif import BLOCKS_MAX, read_header
from stages.headers.header import Header
from tests.hostile.gif import frame, screen
from tests.photographs import photograph_image
from tests.stages.headers.refusals import refusal

SIZE = (9, 6)
SCREEN = screen(*SIZE)
FRAME = frame(*SIZE)
COMMENT = b"!\xfe\5hello\0"


def control(*, transparent: bool) -> bytes:
    return b"!\xf9\4" + bytes((transparent, 0, 0, 1)) + b"\0"


@pytest.mark.parametrize(
    ("blocks", "layout"),
    [
        (FRAME, Layout.RGB),
        (COMMENT + control(transparent=False) + FRAME, Layout.RGB),
        (control(transparent=True) + COMMENT + FRAME, Layout.RGBA),
        (control(transparent=True) + control(transparent=False) + FRAME, Layout.RGBA),
        (frame(8, 6), Layout.RGBA),
        (frame(9, 5, top=1), Layout.RGBA),
        (b"\0\0" + COMMENT + b"\0" + FRAME, Layout.RGB),
        (b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0" + FRAME, Layout.RGB),
    ],
)
def test_frame_that_shows_the_canvas_through_has_alpha(blocks: bytes, layout: Layout) -> None:
    assert read_header(SCREEN + blocks) == Header(*SIZE, layout)


def test_first_frame_beyond_the_screen_enlarges_it_as_it_does_for_pillow() -> None:
    data = SCREEN + frame(8, 4, left=5, top=3) + b";"

    assert read_header(data) == Header(13, 7, Layout.RGBA)
    assert Image.open(io.BytesIO(data)).size == (13, 7)
    assert read_header(screen(0, 0) + FRAME) == Header(*SIZE, Layout.RGB)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_what_pillow_writes_has_alpha_where_something_is_transparent(mode: str) -> None:
    image = photograph_image("chelsea.png").resize((31, 23))
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size).point(lambda level: 255 * (level > 99)))
    stream = io.BytesIO()
    image.convert(mode).save(stream, "GIF")

    assert read_header(stream.getvalue()) == Header(31, 23, Layout.RGBA if mode == "RGBA" else Layout.RGB)


def test_blocks_before_the_first_frame_are_bounded() -> None:
    long = b"!\xfe" + b"\1x" * (BLOCKS_MAX - 2) + b"\0"

    assert read_header(SCREEN + long + FRAME).width == 9
    assert f"{BLOCKS_MAX} blocks" in refusal(read_header, SCREEN + long + b"!\xfe\1x\0" + FRAME).message
    assert f"{BLOCKS_MAX} blocks" in refusal(read_header, SCREEN + b"!\xfe" + b"\1x" * 99_999).message
    assert f"{BLOCKS_MAX} blocks" in refusal(read_header, SCREEN + bytes(99_999) + FRAME).message


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"GIF89a", "cut off"),
        (SCREEN, "cut off"),
        (SCREEN[:-1], "cut off"),
        (SCREEN + COMMENT[:-1], "cut off"),
        (SCREEN + b"!", "cut off"),
        (SCREEN + b"!\xf9\4\0", "cut off"),
        (SCREEN + FRAME[:10], "cut off"),
        (SCREEN + FRAME[:9] + b"\x80" + FRAME[10:16], "cut off"),
        (SCREEN + b"!\xf9\3\0\0\0\0" + FRAME, "graphic control"),
        (SCREEN + b";", "no frame"),
        (SCREEN + b"x" + FRAME, "between"),
        (SCREEN + frame(*SIZE, depth=0), "codes"),
        (SCREEN + frame(*SIZE, depth=9), "codes"),
        (SCREEN + b"," + struct.pack("<HHHHB", 0, 0, 0, 6, 0) + b"\2\0", "0 pixels"),
        (SCREEN + b"," + struct.pack("<HHHHB", 0, 0, 9, 0, 0) + b"\2\0", "0 pixels"),
    ],
)
def test_fault_is_named(data: bytes, word: str) -> None:
    error = refusal(read_header, data)

    assert (error.code, word in error.message) == (ErrorCode.BAD_IMAGE, True), error.message
