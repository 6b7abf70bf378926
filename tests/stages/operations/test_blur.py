"""Blur, against libvips' Gaussian with its whole mask, and the plain convolution in 64-bit floats."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ipc.pixels import Geometry, Layout
from stages.operations.blur import Blur
from tests.oracles import (
    Pixels,
    difference_max,
    in_order,
    premultiplied,
    sample,
    vips_image,
    vips_pixels,
)
from tests.photographs import rmse
from tests.stages.operations.results import (
    LAYOUTS,
    OPAQUE,
    WITH_ALPHA,
    complaint_about,
    pictures,
    result_of,
)

SIGMAS = (0.3, 0.5, 1.0, 2.5, 4.99, 5.0, 9.9, 10.0, 25.0, 100.0)
"""On both sides of where the picture is made coarser first."""
PART = np.s_[200:, :300]
"""Of the photograph, with all that there is of alpha: libvips takes seconds for the whole."""
RMSE = 0.45
"""Two roundings to 8 bits are 0.41 apart; what the coarser grid and the end of the kernel lose is below 0.2."""
MAX = 3
"""At the hardest edges, where the coarser grid is just fine enough."""
NOISE_MAX = 6
"""In noise of black and white pixels, of which straight lines between coarser ones lose most."""


def vips_blur(pixels: Pixels, sigma: float) -> Pixels:
    """With the kernel down to a thousandth, where libvips by itself cuts it at a fifth; colours weighed by alpha."""
    image = vips_image(pixels)
    if pixels.shape[2] == 4:
        image = image.premultiply()
    blurred = image.gaussblur(sigma, precision="float", min_ampl=0.001)
    if pixels.shape[2] == 4:
        blurred = blurred.unpremultiply().rint().cast("uchar")
    return vips_pixels(blurred)


def convolved(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """The definition, along both axes; what lies outside is as its edge."""
    reach = math.ceil(5 * sigma)
    kernel = np.exp(-(np.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    for axis in (0, 1):
        padding = [(reach, reach) if axis == one else (0, 0) for one in range(3)]
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, padding, "edge"), len(kernel), axis)
        values = windows @ kernel
    return values


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sigma", SIGMAS)
def test_blur_is_libvips(layout: Layout, sigma: float) -> None:
    pixels = np.ascontiguousarray(sample(layout)[PART])
    result = result_of(pixels, layout, Blur(sigma))
    reference = vips_blur(in_order(pixels, layout), sigma)
    if layout in WITH_ALPHA:
        result, reference = premultiplied(result), premultiplied(reference)

    assert rmse(result, reference) <= RMSE
    assert difference_max(result, reference) <= MAX


@pytest.mark.parametrize("sigma", SIGMAS)
def test_blur_of_hard_edges_is_the_convolution(sigma: float) -> None:
    """Black and white squares, as of a printed page."""
    squares = np.random.default_rng(5).integers(0, 2, (60, 64, 1)) * 255
    pixels = np.repeat(np.repeat(squares, 5, axis=0), 5, axis=1).astype(np.uint8)
    result = result_of(pixels, Layout.GRAY, Blur(sigma))

    assert np.abs(result - convolved(pixels.astype(np.float64), sigma)).max() <= MAX


@settings(max_examples=60, deadline=None)
@given(pictures(OPAQUE), st.floats(0.3, 100))
def test_blur_of_anything_is_the_convolution(picture: tuple[Pixels, Layout], sigma: float) -> None:
    """However small the picture is beside the kernel."""
    pixels, layout = picture
    exact = convolved(in_order(pixels, layout).astype(np.float64), sigma)

    assert np.abs(result_of(pixels, layout, Blur(sigma)) - exact).max() <= NOISE_MAX


@settings(max_examples=60, deadline=None)
@given(pictures(WITH_ALPHA), st.floats(0.3, 100))
def test_blur_of_anything_with_alpha_weighs_colours_by_it(picture: tuple[Pixels, Layout], sigma: float) -> None:
    pixels, layout = picture
    source = in_order(pixels, layout).astype(np.float64)
    weighted = np.concatenate([source[..., :3] * source[..., 3:] / 255, source[..., 3:]], axis=2)
    result = result_of(pixels, layout, Blur(sigma)).astype(np.float64)
    result[..., :3] *= result[..., 3:] / 255

    assert np.abs(result - convolved(weighted, sigma)).max() <= NOISE_MAX


@pytest.mark.parametrize("sigma", [1.0, 6.0, 30.0])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_blur_of_one_colour_is_that_colour(layout: Layout, sigma: float) -> None:
    """Rounding does not add up, nor does the border show."""
    pixels = np.full((70, 90, layout.channels), 201, np.uint8)

    assert np.array_equal(result_of(pixels, layout, Blur(sigma)), pixels)


@pytest.mark.parametrize("sigma", [1.0, 6.0])
def test_blur_shows_nothing_of_what_is_transparent(sigma: float) -> None:
    """A red square on transparent green: nothing but red may come out."""
    pixels = np.zeros((60, 60, 4), np.uint8)
    pixels[..., 1] = 255
    pixels[20:40, 20:40] = (255, 0, 0, 255)
    result = result_of(pixels, Layout.RGBA, Blur(sigma))

    assert 0 < result[18, 30, 3] < 255
    assert np.all(result[..., :3][result[..., 3] > 0] == (255, 0, 0))


def test_blur_of_one_pixel_is_idle() -> None:
    assert Blur(1.0).is_idle(Geometry(1, 1, Layout.RGB))
    assert not Blur(1.0).is_idle(Geometry(2, 1, Layout.RGB))


@pytest.mark.parametrize("sigma", [0.29, 100.1, -1, math.nan, math.inf, "1", None])
def test_blur_out_of_bounds_names_the_parameter(sigma: object) -> None:
    assert "sigma" in complaint_about(op="blur", sigma=sigma)


def test_blur_without_sigma_names_the_parameter() -> None:
    assert "sigma" in complaint_about(op="blur")
