"""Composite, against libvips' and Pillow's, and the formula of Porter and Duff in 64-bit floats."""

import math
from typing import Final

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ipc.pixels import Geometry, Layout
from stages.fitting import Word
from stages.operations.composite import Composite
from stages.raster import Raster
from tests.oracles import (
    Pixels,
    difference_max,
    in_order,
    pillow_image,
    pillow_pixels,
    premultiplied,
    sample,
    vips_image,
    vips_pixels,
)
from tests.photographs import rmse
from tests.stages.operations.results import LAYOUTS, WITH_ALPHA, complaint_about, pictures

MAX = 1
"""We round once to 8 bits, libvips too."""
ALPHA_MAX = 2
"""As it is seen: colours are divided by the new alpha and rounded, and multiplied again here."""
SCALED_RMSE = 0.6
"""Both resample by lanczos3 in fixed-point numbers, and premultiplied colours are rounded to 8 bits."""

OVERLAY: Final = np.ascontiguousarray(sample(Layout.RGBA, "chelsea.png")[::2, ::2])
HEIGHT, WIDTH = OVERLAY.shape[:2]
PICTURE_HEIGHT, PICTURE_WIDTH = sample(Layout.RGB).shape[:2]


def laid(pixels: Pixels, layout: Layout, composite: Composite, overlay: Pixels, overlay_layout: Layout) -> Pixels:
    """What comes out, in the order RGB or RGBA, written into a target that lies in guarded memory."""
    source = Raster.whole(pixels, Geometry(pixels.shape[1], pixels.shape[0], layout))
    above = Raster.whole(overlay, Geometry(overlay.shape[1], overlay.shape[0], overlay_layout))
    made = Layout.RGB if layout is Layout.GRAY else layout
    memory = np.full((pixels.shape[0] + 2, pixels.shape[1], made.channels), 165, np.uint8)
    before = pixels.copy()
    result = composite.bound({composite.overlay: above, "other": source}).apply(source, memory[1:-1])

    assert result.nominal == Geometry(pixels.shape[1], pixels.shape[0], made)
    assert np.shares_memory(result.pixels, memory)
    assert np.all(memory[[0, -1]] == 165)
    assert np.array_equal(pixels, before)
    return in_order(memory[1:-1], made)


def with_colours(pixels: Pixels) -> Pixels:
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def vips_over(pixels: Pixels, overlay: Pixels, left: int, top: int, opacity: float = 1.0) -> Pixels:
    """By libvips; without alpha where `pixels` has none."""
    above = (vips_image(overlay) * [1, 1, 1, opacity]).copy(interpretation="srgb")
    return vips_pixels(vips_image(pixels).composite2(above, "over", x=left, y=top))[..., : pixels.shape[2]]


def check(result: Pixels, reference: Pixels) -> None:
    if result.shape[2] == 4:
        assert difference_max(premultiplied(result), premultiplied(reference)) <= ALPHA_MAX
    else:
        assert difference_max(result, reference) <= MAX


ANCHORS: dict[Word | None, tuple[int, int]] = {
    None: (-(-(PICTURE_WIDTH - WIDTH) // 2), -(-(PICTURE_HEIGHT - HEIGHT) // 2)),
    "centre": (-(-(PICTURE_WIDTH - WIDTH) // 2), -(-(PICTURE_HEIGHT - HEIGHT) // 2)),
    "left top": (0, 0),
    "northeast": (PICTURE_WIDTH - WIDTH, 0),
    "bottom": (-(-(PICTURE_WIDTH - WIDTH) // 2), PICTURE_HEIGHT - HEIGHT),
    "right bottom": (PICTURE_WIDTH - WIDTH, PICTURE_HEIGHT - HEIGHT),
    "west": (0, -(-(PICTURE_HEIGHT - HEIGHT) // 2)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("gravity", list(ANCHORS))
def test_composite_by_gravity_is_libvips(layout: Layout, gravity: Word | None) -> None:
    result = laid(sample(layout), layout, Composite("logo", gravity=gravity), OVERLAY, Layout.RGBA)
    picture = with_colours(in_order(sample(layout), layout))

    check(result, vips_over(picture, OVERLAY, *ANCHORS[gravity]))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("left", "top"), [(10, 20), (-100, -50), (500, 300), (-1, 399), (599, 0), (600, 0), (-WIDTH, 0), (0, -1_000_000)]
)
@pytest.mark.parametrize("opacity", [1.0, 0.4])
def test_composite_by_offset_is_libvips(layout: Layout, left: int, top: int, opacity: float) -> None:
    """What sticks out is cut off, down to nothing."""
    composite = Composite("logo", left=left, top=top, opacity=opacity)
    result = laid(sample(layout), layout, composite, OVERLAY, Layout.RGBA)
    picture = with_colours(in_order(sample(layout), layout))

    check(result, vips_over(picture, OVERLAY, left, max(top, -HEIGHT), opacity))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rows", [HEIGHT, 3, 1])
def test_composite_of_tiles_is_libvips(layout: Layout, rows: int) -> None:
    """From the upper left, cut off at the right and below; low tiles too, which are laid many at once."""
    tile = np.ascontiguousarray(OVERLAY[(HEIGHT - rows) // 2 :][:rows])
    result = laid(sample(layout), layout, Composite("logo", tile=True, opacity=0.7), tile, Layout.RGBA)
    picture = with_colours(in_order(sample(layout), layout))
    pattern = np.tile(tile, (-(-PICTURE_HEIGHT // rows), -(-PICTURE_WIDTH // WIDTH), 1))

    check(result, vips_over(picture, pattern[:PICTURE_HEIGHT, :PICTURE_WIDTH], 0, 0, 0.7))


def test_composite_of_a_tile_larger_than_the_picture_is_its_upper_left() -> None:
    picture = np.ascontiguousarray(sample(Layout.RGB)[:50, :60])
    result = laid(picture, Layout.RGB, Composite("logo", tile=True), OVERLAY, Layout.RGBA)

    check(result, vips_over(picture, np.ascontiguousarray(OVERLAY[:50, :60]), 0, 0))


@pytest.mark.parametrize("gravity", ["centre", "right bottom", "left top"])
def test_composite_of_a_larger_overlay_is_cut_where_it_sticks_out(gravity: Word) -> None:
    """On one axis larger, on the other smaller."""
    picture = np.ascontiguousarray(sample(Layout.RGB)[:300, :71])
    result = laid(picture, Layout.RGB, Composite("logo", gravity=gravity), OVERLAY, Layout.RGBA)
    share = {"centre": 0.5, "right bottom": 1, "left top": 0}[gravity]
    left, top = math.floor((71 - WIDTH) * share), math.ceil((300 - HEIGHT) * share)

    check(result, vips_over(picture, OVERLAY, left, top))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("scale", [0.1, 0.5, 0.77, 1.0])
def test_composite_scaled_is_pillows(layout: Layout, scale: float) -> None:
    """Made smaller or larger with colours weighed by alpha."""
    composite = Composite("logo", scale=scale, gravity="left top")
    result = laid(sample(layout), layout, composite, OVERLAY, Layout.RGBA)
    width = round(scale * PICTURE_WIDTH)
    height = round(HEIGHT * width / WIDTH)
    resized = pillow_image(OVERLAY).resize((width, height), Image.Resampling.LANCZOS)
    picture = with_colours(in_order(sample(layout), layout))
    reference = vips_over(picture, pillow_pixels(resized), 0, 0)
    if layout in WITH_ALPHA:
        result, reference = premultiplied(result), premultiplied(reference)

    assert rmse(result, reference) <= SCALED_RMSE


def test_composite_scaled_and_cut_is_a_part_of_the_scaled() -> None:
    """Only what is seen is computed, to what it would be in the whole."""
    picture = np.zeros((100, 120, 3), np.uint8)
    whole = laid(picture, Layout.RGB, Composite("logo", scale=0.9, left=5, top=5), OVERLAY, Layout.RGBA)
    cut = laid(picture, Layout.RGB, Composite("logo", scale=0.9, left=-30, top=-21), OVERLAY, Layout.RGBA)
    height = round(HEIGHT * 108 / WIDTH)

    assert difference_max(cut[: height - 21, :78], whole[26 : 5 + height, 35:113]) <= 1


@pytest.mark.parametrize("scale", [1e-9, 10.0])
def test_composite_scaled_to_the_bounds_takes_no_more_than_the_picture(scale: float) -> None:
    """A high and narrow overlay would be 9,600,000 rows high."""
    narrow = np.full((8000, 1, 4), 200, np.uint8)
    picture = np.zeros((90, 120, 3), np.uint8)
    result = laid(picture, Layout.RGB, Composite("logo", scale=scale), narrow, Layout.RGBA)

    assert result.max() == round(200 * 200 / 255)


@pytest.mark.parametrize("overlay_layout", LAYOUTS)
@pytest.mark.parametrize("layout", [Layout.RGB, Layout.BGRA])
def test_composite_takes_an_overlay_of_any_layout(layout: Layout, overlay_layout: Layout) -> None:
    """Where it has no alpha, it covers; its blue is blue whatever lies below."""
    overlay = np.ascontiguousarray(sample(overlay_layout, "chelsea.png")[:100, :100])
    result = laid(sample(layout), layout, Composite("logo", left=0, top=0), overlay, overlay_layout)
    colours = with_colours(in_order(overlay, overlay_layout))
    if colours.shape[2] == 3:
        colours = np.concatenate([colours, np.full((100, 100, 1), 255, np.uint8)], axis=2)

    check(result, vips_over(in_order(sample(layout), layout), colours, 0, 0))


@settings(max_examples=100, deadline=None)
@given(pictures(side_max=20), pictures(side_max=20), st.integers(-25, 25), st.integers(-25, 25), st.floats(0, 1))
def test_composite_of_anything_is_porter_and_duffs(
    picture: tuple[Pixels, Layout], overlay: tuple[Pixels, Layout], left: int, top: int, opacity: float
) -> None:
    pixels, layout = picture
    above, above_layout = overlay
    result = laid(pixels, layout, Composite("logo", left=left, top=top, opacity=opacity), above, above_layout)

    source = with_colours(in_order(pixels, layout)).astype(float)
    colors, alpha = source[..., :3], source[..., 3:] if source.shape[2] == 4 else np.full((*source.shape[:2], 1), 255.0)
    canvas = np.zeros((*source.shape[:2], 4))
    over = with_colours(in_order(above, above_layout)).astype(float)
    if over.shape[2] == 3:
        over = np.dstack([over, np.full(over.shape[:2], 255.0)])
    for row, values in enumerate(over, top):
        for column, value in enumerate(values, left):
            if 0 <= row < canvas.shape[0] and 0 <= column < canvas.shape[1]:
                canvas[row, column] = value
    share = np.rint(canvas[..., 3:] * opacity) / 255
    seen = canvas[..., :3] * share + colors * (alpha / 255) * (1 - share)
    expected_alpha = 255 * share + alpha * (1 - share)
    if result.shape[2] == 4:
        assert np.abs(result[..., 3:] - expected_alpha).max() <= 0.51
        assert np.abs(result[..., :3] * (expected_alpha / 255) - seen).max() <= 0.51
    else:
        assert np.abs(result - seen).max() <= 0.51


def test_composite_that_shows_nothing_is_idle() -> None:
    assert Composite("logo", opacity=0).is_idle(Geometry(9, 9, Layout.RGB))
    assert not Composite("logo", opacity=0).is_idle(Geometry(9, 9, Layout.GRAY))  # it comes out in colours
    assert not Composite("logo").is_idle(Geometry(9, 9, Layout.RGB))


def test_composite_names_its_overlay() -> None:
    assert Composite("logo").overlays == ("logo",)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "overlay"),
        ({"overlay": ""}, "overlay"),
        ({"overlay": "x" * 65}, "overlay"),
        ({"overlay": "x", "left": 1}, "top: left and top go together"),
        ({"overlay": "x", "top": 1}, "left: left and top go together"),
        ({"overlay": "x", "left": 1, "top": 1, "gravity": "centre"}, "gravity: excludes left and top"),
        ({"overlay": "x", "tile": True, "gravity": "centre"}, "tile: excludes"),
        ({"overlay": "x", "tile": True, "left": 0, "top": 0}, "tile: excludes"),
        ({"overlay": "x", "gravity": "middle"}, "gravity"),
        ({"overlay": "x", "opacity": 1.01}, "opacity"),
        ({"overlay": "x", "opacity": -0.01}, "opacity"),
        ({"overlay": "x", "opacity": math.nan}, "opacity"),
        ({"overlay": "x", "scale": 0}, "scale"),
        ({"overlay": "x", "scale": 10.1}, "scale"),
        ({"overlay": "x", "scale": math.nan}, "scale"),
        ({"overlay": "x", "left": 1_000_001, "top": 0}, "left"),
        ({"overlay": "x", "left": 0.5, "top": 0}, "left"),
        ({"overlay": "x", "blend": "over"}, "blend"),
    ],
)
def test_composite_out_of_bounds_names_the_parameter(parameters: dict[str, object], words: str) -> None:
    assert words in complaint_about(op="composite", **parameters)


def test_composite_travels_whole() -> None:
    composite = Composite("logo", left=-3, top=4, opacity=0.5, scale=0.25)

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(composite), type=Composite) == composite
