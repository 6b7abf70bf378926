"""GIFs, still and animated, against libvips, and against what browsers show where that differs."""

import io
from typing import Any, Final

import numpy as np
import pytest
import pyvips  # type: ignore[import-untyped]  # it has annotations, but no py.typed
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Layout
from stages.decoders.gif import BLOCKS_MAX
from stages.probe import probe
from tests.oracles import difference_max, premultiplied
from tests.photographs import photograph_image
from tests.stages.arenas import Pixels, decoded_by_us
from tests.stages.decoders.gifs import Frame, gif
from tests.stages.jpegs import LIMITS

TABLE: Final = [tuple(color) for color in np.random.default_rng(3).integers(0, 256, (16, 3)).tolist()]
OTHER: Final = [(9, 9, 9), (250, 3, 7), (1, 2, 3), (4, 5, 6)]
WIDTH, HEIGHT = 12, 10


def plain(index: int, width: int = WIDTH, height: int = HEIGHT) -> Any:
    return np.full((height, width), index, np.uint8)


def noise(width: int = WIDTH, height: int = HEIGHT) -> Any:
    return np.random.default_rng(width * 31 + height).integers(0, len(TABLE), (height, width)).astype(np.uint8)


def colors_of(indices: Any) -> Pixels:
    colors: Pixels = np.array(TABLE, np.uint8)[indices]
    return colors


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """Each says that something in it is transparent: else libvips makes background what browsers leave empty."""
    left, top = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    is_interlaced = draw(st.booleans())
    # libvips errs in what it cuts off of an interlaced frame.
    most = (WIDTH - left, HEIGHT - top) if is_interlaced else (WIDTH + 3, HEIGHT + 3)
    width, height = draw(st.integers(1, most[0])), draw(st.integers(1, most[1]))
    return Frame(
        np.random.default_rng(draw(st.integers(0, 99))).integers(0, len(TABLE), (height, width)).astype(np.uint8),
        *(left, top),
        transparent=draw(st.integers(0, len(TABLE) - 1)),
        disposal=draw(st.integers(0, 3)),
        is_interlaced=is_interlaced,
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(frames(), min_size=1, max_size=4))
def test_gif_animation_is_that_of_libvips(shown: list[Frame]) -> None:
    shown[0] = Frame(noise(), transparent=3, disposal=shown[0].disposal)
    data = gif(WIDTH, HEIGHT, TABLE, *shown)
    for page in range(len(shown)):
        vips = pyvips.Image.gifload_buffer(data, page=page).numpy()
        assert difference_max(premultiplied(decoded_by_us(data, page=page)), premultiplied(vips)) == 0


@pytest.mark.parametrize("is_interlaced", [False, True])
def test_gif_that_covers_its_canvas_is_rgb(is_interlaced: bool) -> None:
    data = gif(WIDTH, HEIGHT, TABLE, Frame(noise(), is_interlaced=is_interlaced))

    assert difference_max(decoded_by_us(data), colors_of(noise())) == 0


@pytest.mark.parametrize("mode", ["P", "L", "1"])
def test_gif_by_pillow_is_the_same_to_pillow(mode: str) -> None:
    stream = io.BytesIO()
    photograph_image("coffee.png").convert(mode).save(stream, "GIF")
    with Image.open(stream) as image:
        theirs = np.asarray(image.convert("RGB"))

    assert difference_max(decoded_by_us(stream.getvalue()), theirs) == 0


def test_gif_with_a_gray_table_and_transparency_keeps_both() -> None:
    """Pillow makes a picture without a table of it."""
    grays = [(index, index, index) for index in range(16)]
    data = gif(WIDTH, HEIGHT, grays, Frame(noise(), transparent=5))
    ours = decoded_by_us(data)

    assert difference_max(ours[..., :3], np.repeat(noise()[..., np.newaxis], 3, axis=2)) == 0
    assert np.array_equal(ours[..., 3] == 0, noise() == 5)


def test_gif_canvas_that_no_frame_covers_is_transparent() -> None:
    data = gif(WIDTH, HEIGHT, TABLE, Frame(plain(1, 3, 3), left=4, top=4))
    ours = decoded_by_us(data)

    assert probe(data, LIMITS).geometry.layout is Layout.RGBA
    assert ours[4:7, 4:7].tolist() == [[[*TABLE[1], 255]] * 3] * 3
    assert int((ours[..., 3] > 0).sum()) == 9


def test_gif_frame_disposed_of_to_nothing_leaves_nothing() -> None:
    """libvips leaves the background colour where nothing was said to be transparent; browsers do as here."""
    shown = Frame(plain(1)), Frame(plain(2, 3, 3), disposal=2), Frame(plain(3, 1, 1), left=11, top=9)
    ours = decoded_by_us(gif(WIDTH, HEIGHT, TABLE, *shown), page=2)

    assert ours[:3, :3, 3].tolist() == [[0] * 3] * 3
    assert ours[5, 5].tolist() == [*TABLE[1], 255]
    assert ours[9, 11].tolist() == [*TABLE[3], 255]


def test_gif_frame_disposed_of_to_what_was_before_leaves_that() -> None:
    shown = Frame(noise()), Frame(plain(2, 5, 4), left=10, top=8, disposal=3), Frame(plain(3, 1, 1))
    ours = decoded_by_us(gif(WIDTH, HEIGHT, TABLE, *shown), page=2)
    expected = colors_of(noise()).copy()
    expected[0, 0] = TABLE[3]

    assert difference_max(ours[..., :3], expected) == 0


def test_gif_frame_with_a_table_of_its_own_uses_it() -> None:
    shown = Frame(plain(1)), Frame(plain(1, 2, 2), table=OTHER)

    assert decoded_by_us(gif(WIDTH, HEIGHT, TABLE, *shown), page=1)[0, 0].tolist() == [*OTHER[1], 255]
    assert decoded_by_us(gif(WIDTH, HEIGHT, [], Frame(plain(1), table=OTHER)))[0, 0].tolist() == [*OTHER[1]]


def test_gif_frame_beyond_the_canvas_is_not_seen_there() -> None:
    shown = Frame(plain(1)), Frame(noise(500, 500), left=6, top=5)
    ours = decoded_by_us(gif(WIDTH, HEIGHT, TABLE, *shown), page=1)

    assert difference_max(ours[5:, 6:, :3], colors_of(noise(500, 500))[:5, :6]) == 0
    assert ours[4, 5].tolist() == [*TABLE[1], 255]


@pytest.mark.parametrize("frames", [1, 3])
def test_gif_frames_far_larger_than_their_canvas_are_a_bad_image(frames: int) -> None:
    def with_frames(height: int) -> bytes:
        return gif(WIDTH, HEIGHT, TABLE, Frame(plain(1)), *[Frame(plain(2, 1024, height // frames))] * frames)

    assert decoded_by_us(with_frames(1000), page=frames)[0, 0].tolist() == [*TABLE[2], 255]
    with pytest.raises(FrameError, match="far larger than its canvas") as caught:
        decoded_by_us(with_frames(1050), page=frames)
    assert caught.value.code is ErrorCode.BAD_IMAGE


@pytest.mark.parametrize("end", [b";", b""])
def test_gif_page_beyond_the_last_is_a_bad_request(end: bytes) -> None:
    data = gif(WIDTH, HEIGHT, TABLE, Frame(plain(1)), Frame(plain(2)), Frame(plain(3)), end=end)

    assert decoded_by_us(data, page=2)[0, 0].tolist() == [*TABLE[3], 255]
    with pytest.raises(FrameError, match=r"^BAD_REQUEST: input.page: 7 is beyond the picture's last, 2$"):
        decoded_by_us(data, page=7)


def test_gif_truncated_anywhere_is_a_bad_image() -> None:
    data = gif(WIDTH, HEIGHT, TABLE, Frame(noise()), Frame(noise()), end=b"")
    first = len(gif(WIDTH, HEIGHT, TABLE, Frame(noise()), end=b""))
    for length in range(6, first - 2):
        with pytest.raises(FrameError) as caught:
            decoded_by_us(data[:length])
        assert caught.value.code is ErrorCode.BAD_IMAGE
    for length in range(first + 1, len(data) - 2):
        with pytest.raises(FrameError) as caught:
            decoded_by_us(data[:length], page=1)
        assert caught.value.code is ErrorCode.BAD_IMAGE


def test_gif_with_bytes_between_its_frames_is_a_bad_image() -> None:
    data = gif(WIDTH, HEIGHT, TABLE, Frame(plain(1)), end=b"junk") + gif(WIDTH, HEIGHT, TABLE, Frame(plain(1)))[13:]

    with pytest.raises(FrameError, match="bytes between its blocks"):
        decoded_by_us(data, page=1)


@pytest.mark.parametrize("block", [b"\0", b"!\xfe\0"])
def test_gif_of_too_many_blocks_between_its_frames_is_a_bad_image(block: bytes) -> None:
    """A file of nothing but stray bytes would keep a decoder busy for as long as it may work."""
    first, second = gif(WIDTH, HEIGHT, TABLE, Frame(plain(1)), end=b""), gif(WIDTH, HEIGHT, [], Frame(plain(2)))[13:]

    assert decoded_by_us(first + block * (BLOCKS_MAX - 6) + second, page=1)[0, 0].tolist() == [*TABLE[2], 255]
    with pytest.raises(FrameError, match=f"more than {BLOCKS_MAX} blocks") as caught:
        decoded_by_us(first + block * BLOCKS_MAX + second, page=1)
    assert caught.value.code is ErrorCode.BAD_IMAGE


def test_gif_later_frame_without_pixels_is_a_bad_image() -> None:
    data = gif(WIDTH, HEIGHT, TABLE, Frame(plain(1)), end=b"") + b",\0\0\0\0\0\0\x05\0\0\2\0;"

    with pytest.raises(FrameError, match="a side of 0 pixels"):
        decoded_by_us(data, page=1)


@pytest.mark.parametrize("bits", [13, 255])
def test_gif_later_frame_with_codes_of_impossible_size_is_a_bad_image(bits: int) -> None:
    """Pillow cannot set up its decoder, and says so in the words that it has for want of memory too."""
    first, second = gif(WIDTH, HEIGHT, TABLE, Frame(noise()), end=b""), gif(WIDTH, HEIGHT, TABLE, Frame(noise()))
    data = bytearray(first + second[13 + 3 * len(TABLE) :])
    data[data.rindex(b",\0\0\0\0") + 10] = bits

    with pytest.raises(FrameError, match="GIF is corrupt") as caught:
        decoded_by_us(bytes(data), page=1)
    assert caught.value.code is ErrorCode.BAD_IMAGE
