"""A WebP's chunks: sizes, alpha as libwebp tells it, and EXIF behind the pixels."""

import io

import pytest
from PIL import Image

from ipc.errors import ErrorCode
from ipc.pixels import Layout
from stages.headers.header import Header
from stages.headers.webp import CHUNKS_MAX, read_header
from tests.hostile.webp import ALPHA, ANIMATED, EXIF, anmf, chunk, riff, vp8_header, vp8l_header, vp8x
from tests.photographs import photograph_image
from tests.stages.headers.refusals import refusal
from tests.stages.jpegs import exif

SIZE = (9, 6)
LOSSY = chunk(b"VP8 ", vp8_header(*SIZE) + bytes(30))
LOSSLESS = chunk(b"VP8L", vp8l_header(*SIZE))
LOSSLESS_ALPHA = chunk(b"VP8L", vp8l_header(*SIZE)[:4] + b"\x10")
PLANE = chunk(b"ALPH", b"\0")
TURNED = exif(6)[10:]


def canvas(flags: int = 0) -> bytes:
    return vp8x(*SIZE, flags)


@pytest.mark.parametrize(
    ("chunks", "layout"),
    [
        ((LOSSY,), Layout.RGB),
        ((LOSSLESS,), Layout.RGB),
        ((LOSSLESS_ALPHA,), Layout.RGBA),
        ((canvas(), LOSSY), Layout.RGB),
        ((canvas(ALPHA), LOSSY), Layout.RGBA),
        ((canvas(), PLANE, LOSSY), Layout.RGBA),
        ((canvas(), chunk(b"JUNK", b"odd"), PLANE, LOSSY), Layout.RGBA),
        ((canvas(), LOSSY, PLANE), Layout.RGB),
        ((canvas(ALPHA), LOSSLESS), Layout.RGB),
        ((canvas(), LOSSLESS_ALPHA), Layout.RGBA),
        ((canvas(ANIMATED), chunk(b"ANIM", bytes(6)), anmf(*SIZE, LOSSLESS_ALPHA)), Layout.RGB),
        ((canvas(ANIMATED | ALPHA), chunk(b"ANIM", bytes(6)), anmf(*SIZE, LOSSY)), Layout.RGBA),
    ],
)
def test_alpha_is_told_by_flags_and_chunks(chunks: tuple[bytes, ...], layout: Layout) -> None:
    assert read_header(riff(*chunks)) == Header(*SIZE, layout)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("frames", [1, 3])
def test_what_libwebp_writes_is_told_as_pillow_tells_it(mode: str, lossless: bool, frames: int) -> None:
    images = [photograph_image("chelsea.png").resize((31, 23)).rotate(30 * number) for number in range(frames)]
    if mode == "RGBA":
        images = [image.copy() for image in images]
        for image in images:
            image.putalpha(Image.linear_gradient("L").resize(image.size))
    stream = io.BytesIO()
    images[0].save(stream, "WEBP", lossless=lossless, save_all=frames > 1, append_images=images[1:])
    told = Image.open(stream)

    assert read_header(stream.getvalue()) == Header(*told.size, Layout(told.mode))


def test_side_above_14_bits_is_read_from_the_canvas() -> None:
    animation = riff(vp8x(70_000, 1, ANIMATED), chunk(b"ANIM", bytes(6)))

    assert (read_header(animation).width, read_header(animation).height) == (70_000, 1)


def test_scaling_for_a_screen_is_no_part_of_a_side() -> None:
    assert read_header(riff(chunk(b"VP8 ", vp8_header(9 | 0xC000, 6 | 0x4000) + bytes(30)))).width == 9


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("picture", [LOSSY, LOSSLESS])
def test_turned_picture_is_told_as_such(prefix: bytes, picture: bytes) -> None:
    data = riff(canvas(EXIF), picture, chunk(b"EXIF", prefix + TURNED), chunk(b"EXIF", exif(3)[10:]))
    header = read_header(data)

    assert header.orientation == 6
    assert header.exif is not None
    assert header.exif.of(data) == TURNED


def test_exif_without_its_flag_does_not_count() -> None:
    assert read_header(riff(canvas(), LOSSY, chunk(b"EXIF", TURNED))).orientation == 1


def test_exif_behind_the_frames_of_an_animation_counts() -> None:
    frames = (chunk(b"ANIM", bytes(6)), anmf(*SIZE, LOSSY) * 3)

    assert read_header(riff(canvas(ANIMATED | EXIF), *frames, chunk(b"EXIF", TURNED))).orientation == 6


def test_search_for_exif_is_bounded_and_stops_at_damage() -> None:
    far = chunk(b"JUNK", b"") * CHUNKS_MAX + chunk(b"EXIF", TURNED)
    damaged = b"JUNK\xff\xff\xff\xff" + chunk(b"EXIF", TURNED)

    assert read_header(riff(canvas(EXIF), LOSSY, far)).exif is None
    assert read_header(riff(canvas(EXIF), LOSSY, damaged)).exif is None


def test_chunks_before_the_picture_are_bounded() -> None:
    junk = chunk(b"JUNK", b"")

    assert read_header(riff(canvas(), junk * (CHUNKS_MAX - 1), LOSSY)).width == 9
    assert f"{CHUNKS_MAX} chunks" in refusal(read_header, riff(canvas(), junk * CHUNKS_MAX, LOSSY)).message


def spoilt(picture: bytes, at: int, value: int) -> bytes:
    """A bitstream with one byte changed, counted from its start."""
    changed = bytearray(picture)
    changed[8 + at] = value
    return riff(bytes(changed))


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"RIFF\x04\0\0\0WEBP", "cut off"),
        (b"RIFF\x05\0\0\0WEBPVP8 \0\0\0\0", "RIFF header"),
        (riff(LOSSY)[:-1], "cut off"),
        (riff(chunk(b"VP8 ", vp8_header(*SIZE)[:9])), "cut off"),
        (riff(chunk(b"VP8L", vp8l_header(*SIZE)[:4])), "cut off"),
        (riff(chunk(b"JUNK", bytes(30))), "none of VP8"),
        (riff(canvas()), "ends before its pixels"),
        (riff(canvas(), chunk(b"JUNK", b"")), "ends before its pixels"),
        (riff(canvas(), b"VP8 \xff\0\0\0" + bytes(20)), "beyond its end"),
        (riff(chunk(b"VP8X", bytes(9)), LOSSY), "VP8X"),
        (riff(vp8x(10, 6), LOSSY), "another size"),
        (riff(vp8x(9, 7), LOSSLESS), "another size"),
        (spoilt(LOSSY, 0, 0x11), "VP8 frame header"),
        (spoilt(LOSSY, 0, 0x00), "VP8 frame header"),
        (spoilt(LOSSY, 0, 0x18), "VP8 frame header"),
        (spoilt(LOSSY, 2, 0xFF), "VP8 frame header"),
        (spoilt(LOSSY, 3, 0x00), "VP8 frame header"),
        (spoilt(LOSSY, 6, 0x00), "0 pixels"),
        (spoilt(LOSSY, 8, 0x00), "0 pixels"),
        (spoilt(LOSSLESS, 0, 0x2E), "VP8L header"),
        (spoilt(LOSSLESS, 4, 0x20), "VP8L header"),
    ],
)
def test_fault_is_named(data: bytes, word: str) -> None:
    error = refusal(read_header, data)

    assert (error.code, word in error.message) == (ErrorCode.BAD_IMAGE, True), error.message
