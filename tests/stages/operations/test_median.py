"""Median, against libvips' rank, and NumPy's median."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.pixels import Geometry, Layout
from stages.operations.median import Median
from tests.oracles import Pixels, difference_max, in_order, premultiplied, sample, vips_image, vips_pixels
from tests.stages.operations.results import (
    LAYOUTS,
    OPAQUE,
    WITH_ALPHA,
    complaint_about,
    pictures,
    result_of,
    sample_result,
)

ALPHA_MAX = 1
"""As it is seen: colours are multiplied by alpha and divided again, each time rounded."""


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [3, 5, 7, 15])
def test_median_is_libvips(layout: Layout, size: int) -> None:
    result = sample_result(layout, Median(size))
    image = vips_image(in_order(sample(layout), layout))
    if layout in WITH_ALPHA:
        weighted = vips_image(vips_pixels(image.premultiply()))
        reference = vips_pixels(weighted.median(size).unpremultiply())
        assert difference_max(premultiplied(result), premultiplied(reference)) <= ALPHA_MAX
    else:
        assert np.array_equal(result, vips_pixels(image.median(size)))


@settings(max_examples=60, deadline=None)
@given(pictures(OPAQUE, side_max=20), st.integers(0, 7).map(lambda half: 2 * half + 1))
def test_median_of_anything_is_numpys(picture: tuple[Pixels, Layout], size: int) -> None:
    """However small the picture is beside the square; what lies outside is as its edge."""
    pixels, layout = picture
    reach = size // 2
    padded = np.pad(in_order(pixels, layout), [(reach, reach), (reach, reach), (0, 0)], "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (0, 1))

    assert np.array_equal(result_of(pixels, layout, Median(size)), np.median(windows, axis=(3, 4)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_median_of_the_largest_size_is_made_of_any_picture(layout: Layout) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 9, layout.channels), np.uint8)

    assert result_of(pixels, layout, Median(255)).shape == pixels.shape


def test_median_shows_nothing_of_what_is_transparent() -> None:
    pixels = np.zeros((30, 30, 4), np.uint8)
    pixels[..., 1] = 255
    pixels[10:20, 10:20] = (255, 0, 0, 255)
    result = result_of(pixels, Layout.RGBA, Median(3))

    assert np.array_equal(result[10, 11:19], pixels[10, 11:19])
    assert np.all(result[..., :3][result[..., 3] > 0] == (255, 0, 0))


def test_median_of_single_pixels_is_idle() -> None:
    assert Median(1).is_idle(Geometry(9, 9, Layout.RGB))
    assert Median().size == 3
    assert not Median().is_idle(Geometry(9, 9, Layout.RGB))


@pytest.mark.parametrize("size", [0, 2, 4, 254, 257, -3, 3.5, "3"])
def test_median_out_of_bounds_names_the_parameter(size: object) -> None:
    assert "size" in complaint_about(op="median", size=size)
