"""Trim, against libvips' `find_trim`, used as sharp uses it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Geometry, Layout
from stages.border import bounding_box
from stages.chain import compose
from stages.limits import Limits
from stages.operation import Operation
from stages.operations.extract import Extract
from stages.operations.grayscale import Grayscale
from stages.operations.resize import Resize
from stages.operations.rotate import Rotate
from stages.operations.trim import Trim
from tests.oracles import Pixels, in_order, sample, vips_image
from tests.stages.arenas import transformed
from tests.stages.jpegs import LIMITS

LAYOUTS = list(Layout)
LEFT, TOP, RIGHT, BOTTOM = 70, 30, 11, 55
NOISE = 5
"""Of the border, as a scanner or a lossy format leaves it."""


def framed(layout: Layout) -> Pixels:
    """The coffee cup with a noisy, nearly white border, and a speck in it."""
    inner = sample(layout)
    height, width, channels = inner.shape
    pixels = np.full((TOP + height + BOTTOM, LEFT + width + RIGHT, channels), 250, np.uint8)
    pixels -= np.random.default_rng(1).integers(0, NOISE, pixels.shape, np.uint8)
    pixels[TOP // 2, LEFT // 2] = 0
    pixels[TOP : TOP + height, LEFT : LEFT + width] = inner
    return pixels


def vips_box(pixels: Pixels, background: tuple[int, ...], threshold: float) -> tuple[int, int, int, int] | None:
    """What libvips finds, as sharp joins what it finds in colours and in alpha. Channels as in `oracles`."""
    image = vips_image(pixels)
    found = [image.find_trim(threshold=threshold, background=list(background[: min(3, image.bands)]))]
    if image.bands == 4:
        found.append(image[3].find_trim(threshold=threshold, background=[background[3]]))
    boxes = [(x, y, x + width, y + height) for x, y, width, height in found if width and height]
    if not boxes:
        return None
    left, top, right, bottom = (
        *map(min, list(zip(*boxes, strict=True))[:2]),
        *map(max, list(zip(*boxes, strict=True))[2:]),
    )
    return left, top, right - left, bottom - top


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("threshold", [0.0, 1.5, 5.0, 10.0, 40.5, 100.0, 255.0])
def test_trim_finds_what_libvips_finds(layout: Layout, threshold: float) -> None:
    """To the pixel. Both take a median first, which knows no rounding; alpha is laid on the background with rounding
    here and without there, which no pixel of this picture is near enough to the threshold to show."""
    pixels = framed(layout)
    background = tuple(int(value) for value in in_order(pixels, layout)[0, 0])
    expected = vips_box(in_order(pixels, layout), background, threshold)
    result = transformed(pixels, layout, Trim(threshold))

    if expected is None:
        assert np.array_equal(result, pixels)
    else:
        left, top, width, height = expected
        assert np.array_equal(result, pixels[top : top + height, left : left + width])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_trim_cuts_off_exactly_the_frame(layout: Layout) -> None:
    assert np.array_equal(transformed(framed(layout), layout, Trim(30)), sample(layout))


@pytest.mark.parametrize("layout", [Layout.RGB, Layout.BGR, Layout.BGRA])
def test_trim_of_a_given_color_leaves_other_borders(layout: Layout) -> None:
    """Red at the top, blue at the bottom, green at the sides."""
    red, green, blue = ([255, 0, 0], [0, 255, 0], [0, 0, 255])
    pixels = np.empty((40, 50, 3), np.uint8)
    pixels[:] = green
    pixels[:9], pixels[-7:] = red, blue
    pixels[12:30, 10:40] = sample(Layout.RGB)[200:218, 200:230]
    ours = in_order(pixels if layout.channels == 3 else np.dstack([pixels, np.full((40, 50), 255, np.uint8)]), layout)

    assert transformed(ours, layout, Trim(background=(255, 0, 0))).shape[:2] == (31, 50)
    assert transformed(ours, layout, Trim(background=(0, 0, 255))).shape[:2] == (33, 50)
    assert transformed(ours, layout, Trim(background=(0, 255, 0))).shape[:2] == (40, 50)


def test_trim_of_transparency_keeps_what_can_be_seen() -> None:
    """A logo: black on black, told from its surroundings by alpha alone."""
    pixels = np.zeros((30, 40, 4), np.uint8)
    pixels[5:20, 8:33, 3] = 200

    assert np.array_equal(transformed(pixels, Layout.RGBA, Trim()), pixels[5:20, 8:33])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 2), (60, 70)])
def test_trim_of_one_color_changes_nothing(layout: Layout, size: tuple[int, int]) -> None:
    pixels = np.full((*size, layout.channels), 128, np.uint8)

    assert np.array_equal(transformed(pixels, layout, Trim()), pixels)


SPECKS = st.lists(
    st.tuples(st.integers(0, 39), st.integers(0, 39), st.integers(1, 4), st.integers(1, 4), st.integers(92, 108)),
    max_size=12,
)
"""Row, column, height, width and value."""


@settings(max_examples=200, deadline=None)
@given(st.integers(3, 40), st.integers(3, 40), st.sampled_from([1, 3]), st.integers(0, 16), SPECKS)
def test_bounding_box_of_any_specks_is_that_of_libvips(
    height: int, width: int, channels: int, half_threshold: int, specks: list[tuple[int, int, int, int, int]]
) -> None:
    pixels = np.full((height, width, channels), 100, np.uint8)
    for row, column, rows, columns, value in specks:
        pixels[row : row + rows, column : column + columns] = value
    background = (100,) * channels

    assert bounding_box(pixels, background, half_threshold / 2) == vips_box(pixels, background, half_threshold / 2)


def test_bounding_box_of_a_tall_picture_has_no_seams() -> None:
    """It is looked at in strips, at whose borders the median must see the neighbours."""
    pixels = np.full((9000, 301, 3), 250, np.uint8)
    for row in range(3, 8997):  # a line of one row, which the median takes away if it sees the rows around it
        pixels[row, 5 + 5 * (row % 50) :][:3] = 0
    pixels[4001:4009, 100:120] = 0
    background = (250, 250, 250)

    assert bounding_box(pixels, background, 10) == vips_box(pixels, background, 10)


def test_chain_after_trim_takes_sizes_as_they_come() -> None:
    """The same as trim by itself, and then the rest."""
    pixels = framed(Layout.RGB)
    inner = sample(Layout.RGB)
    rest = (Rotate(90), Resize(200), Extract(3, 5, 100, 80), Grayscale())

    assert np.array_equal(transformed(pixels, Layout.RGB, Trim(30), *rest), transformed(inner, Layout.RGB, *rest))


@pytest.mark.parametrize(
    ("operations", "limits", "code", "message"),
    [
        (
            (Trim(30), Extract(0, 0, 601, 10)),
            LIMITS,
            ErrorCode.BAD_REQUEST,
            r"operations \(extract\): left \+ width is 601, over the picture's width 600",
        ),
        (
            (Trim(30), Resize(640, fit="outside")),
            Limits(700, 640 * 426),
            ErrorCode.TOO_LARGE,
            r"operations \(resize\): result: 640 x 427 pixels are over max_pixels 272640",
        ),
        (
            (Trim(30), Resize(height=600)),
            Limits(800, 1 << 20),
            ErrorCode.TOO_LARGE,
            r"operations \(resize\): result: width 900 is over max_side 800",
        ),
    ],
)
def test_chain_after_trim_whose_real_sizes_do_not_suit_is_refused(
    operations: tuple[Operation, ...], limits: Limits, code: ErrorCode, message: str
) -> None:
    """By the worker, since the plan could not know."""
    with pytest.raises(FrameError, match=message) as caught:
        transformed(framed(Layout.RGB), Layout.RGB, *operations, limits=limits)

    assert caught.value.code is code


def test_compose_open_chain_tells_what_it_can_take_at_most() -> None:
    chain = compose((Trim(), Resize(300)), Geometry(4000, 3000, Layout.RGB), 1, LIMITS)

    assert chain.is_open
    assert (chain.result.width, chain.result.height) == (300, LIMITS.max_side)
    assert chain.room_bytes == chain.result.bytes
    assert compose((Trim(), Resize(300, without_enlargement=True)), chain.source, 1, LIMITS).result.height == 3000
    assert compose((Trim(), Resize(height=4000)), chain.source, 1, LIMITS).room_bytes == LIMITS.max_pixels * 3


def test_compose_open_chain_keeps_what_might_have_something_to_do() -> None:
    """Before trim, what is idle goes; after it, only the worker can tell."""
    source = Geometry(600, 400, Layout.RGB)
    chain = compose((Resize(600, 400), Trim(), Resize(600, 400)), source, 1, LIMITS)

    assert chain.operations == (Trim(), Resize(600, 400))
    assert (chain.result, chain.is_open) == (source, True)


def test_compose_of_a_picture_that_cannot_be_trimmed_is_not_open() -> None:
    chain = compose((Trim(),), Geometry(1, 1, Layout.RGB), 1, LIMITS)

    assert (chain.operations, chain.is_open) == ((), False)
