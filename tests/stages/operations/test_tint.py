"""Tint, against libvips' L*a*b*."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.pixels import Layout
from stages.operations.tint import Tint
from tests.oracles import Pixels, difference_max, in_order, sample, vips_image, vips_pixels
from tests.photographs import rmse
from tests.stages.operations.results import (
    LAYOUTS,
    WITH_ALPHA,
    complaint_about,
    pictures,
    result_layout,
    result_of,
    sample_result,
)

RMSE = 0.5
"""Two roundings, and libvips' tables of 8-bit sRGB."""
MAX = 1
COLORS = st.tuples(*[st.integers(0, 255)] * 3)


def vips_tint(pixels: Pixels, color: tuple[int, ...]) -> Pixels:
    """L* of the picture, a* and b* of the colour."""
    colors = min(pixels.shape[2], 3)
    lightness = vips_image(pixels[..., :colors]).colourspace("lab")[0]
    of_color = vips_image(np.array(color[:3], np.uint8).reshape(1, 1, 3)).colourspace("lab").getpoint(0, 0)
    result = vips_pixels(lightness.bandjoin(of_color[1:]).copy(interpretation="lab").colourspace("srgb"))
    return np.concatenate([result, pixels[..., colors:]], axis=2) if pixels.shape[2] == 4 else result


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("color", [(112, 66, 20), (255, 0, 0), (0, 0, 255), (128, 128, 128), (1, 2, 3)])
def test_tint_is_libvips(layout: Layout, color: tuple[int, int, int]) -> None:
    result = sample_result(layout, Tint(color))
    reference = vips_tint(in_order(sample(layout), layout), color)

    assert rmse(result, reference) <= RMSE
    assert difference_max(result, reference) <= MAX
    if layout in WITH_ALPHA:
        assert np.array_equal(result[..., 3], reference[..., 3])


@settings(max_examples=60, deadline=None)
@given(pictures(), COLORS)
def test_tint_of_anything_is_libvips(picture: tuple[Pixels, Layout], color: tuple[int, int, int]) -> None:
    pixels, layout = picture

    assert difference_max(result_of(pixels, layout, Tint(color)), vips_tint(in_order(pixels, layout), color)) <= MAX


def test_tint_of_grey_has_colours() -> None:
    assert result_layout(sample(Layout.GRAY), Layout.GRAY, Tint((255, 0, 0))) is Layout.RGB
    assert result_layout(sample(Layout.BGR), Layout.BGR, Tint((255, 0, 0))) is Layout.BGR


def test_tint_by_a_grey_is_without_colour() -> None:
    result = sample_result(Layout.RGB, Tint((200, 200, 200))).astype(int)

    assert np.ptp(result, axis=2).max() <= 1


@pytest.mark.parametrize("color", [[0, 0], [0, 0, 256], "red", None, [1, 2, 3, 4, 5]])
def test_tint_color_out_of_bounds_names_the_parameter(color: object) -> None:
    assert "color" in complaint_about(op="tint", color=color)


def test_tint_without_color_names_the_parameter() -> None:
    assert "color" in complaint_about(op="tint")
