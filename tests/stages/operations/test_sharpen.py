"""Sharpen, against the formula made of libvips' operations, and in 64-bit floats."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.pixels import Geometry, Layout
from stages.operations.sharpen import Sharpen
from tests.oracles import Pixels, difference_max, in_order, sample, share_over, vips_image, vips_pixels
from tests.photographs import rmse
from tests.stages.operations.results import (
    LAYOUTS,
    OPAQUE,
    WITH_ALPHA,
    complaint_about,
    pictures,
    result_of,
    sample_result,
)

RMSE = 0.45
"""Two roundings to 8 bits are 0.41 apart; with sigma from 3, 0.2 times the amount is lost to the coarser grid."""
SHARE_OVER_1 = 2e-3
"""Of the values: differences that lie just at the threshold are taken for one thing here and for the other there."""


def vips_sharpen(pixels: Pixels, sharpen: Sharpen) -> Pixels:
    """The formula, with alpha as weight of the mask only."""
    colors = min(pixels.shape[2], 3)
    image = vips_image(pixels)
    values = image.extract_band(0, n=colors).cast("float")
    source = image.premultiply() if pixels.shape[2] == 4 else values
    blurred = source.gaussblur(sharpen.sigma, precision="float", min_ampl=0.001)
    if pixels.shape[2] == 4:
        blurred = blurred.unpremultiply().extract_band(0, n=3)
    difference = values - blurred
    added = (difference.abs() > sharpen.threshold).ifthenelse(difference * sharpen.amount, 0)
    sharp = values + added
    sharp = (sharp < 0).ifthenelse(0, (sharp > 255).ifthenelse(255, sharp))
    return np.concatenate([vips_pixels(sharp), pixels[..., colors:]], axis=2)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "sharpen", [Sharpen(1), Sharpen(0.5, 3), Sharpen(2, 1.5, 5), Sharpen(1.2, 0.4, 20.5), Sharpen(8, 0.8)]
)
def test_sharpen_is_libvips(layout: Layout, sharpen: Sharpen) -> None:
    result = sample_result(layout, sharpen)
    source = in_order(sample(layout), layout)
    reference = vips_sharpen(source, sharpen)
    if layout in WITH_ALPHA:
        assert np.array_equal(result[..., 3], source[..., 3])
        seen = source[..., 3] > 0  # elsewhere the mask has no colour to compare
        result, reference = result[seen][np.newaxis], reference[seen][np.newaxis]

    assert share_over(result, reference, 1) <= SHARE_OVER_1
    if sharpen.threshold == 0:
        assert rmse(result, reference) <= RMSE


@settings(max_examples=60, deadline=None)
@given(pictures(OPAQUE), st.floats(0.3, 100), st.floats(0, 100), st.floats(0, 255))
def test_sharpen_of_anything_keeps_within_the_threshold(
    picture: tuple[Pixels, Layout], sigma: float, amount: float, threshold: float
) -> None:
    """A value stays exactly as it is, or is moved by more than the threshold times the amount, if there is room."""
    pixels, layout = picture
    result = result_of(pixels, layout, Sharpen(sigma, amount, threshold)).astype(int)
    moved = result - in_order(pixels, layout)

    assert np.all((np.abs(moved) >= amount * threshold - 1) | (moved == 0) | (result == 0) | (result == 255))


def test_sharpen_shows_nothing_of_what_is_transparent() -> None:
    """Beside a transparent surrounding of any colour, one even colour stays what it is."""
    pixels = np.zeros((60, 60, 4), np.uint8)
    pixels[..., 1] = 255
    pixels[20:40, 20:40] = (200, 100, 50, 255)
    result = result_of(pixels, Layout.RGBA, Sharpen(2, 5))

    assert np.array_equal(result[20:40, 20:40], pixels[20:40, 20:40])


def test_sharpen_of_nothing_is_idle() -> None:
    geometry = Geometry(9, 9, Layout.RGB)

    assert Sharpen(1, 0).is_idle(geometry)
    assert Sharpen(1, 1, 255).is_idle(geometry)
    assert not Sharpen(1).is_idle(geometry)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("sigma", 0.1),
        ("sigma", 101),
        ("sigma", math.nan),
        ("amount", -0.1),
        ("amount", 101),
        ("amount", math.nan),
        ("threshold", -1),
        ("threshold", 256),
        ("threshold", math.nan),
    ],
)
def test_sharpen_out_of_bounds_names_the_parameter(parameter: str, value: float) -> None:
    assert f".{parameter}`" in complaint_about(**{"op": "sharpen", "sigma": 1, parameter: value})


def test_sharpen_makes_an_edge_steeper_by_the_formula() -> None:
    """By hand: a step from 100 to 150; beside it the blurred value is 125 plus what half a pixel of the kernel has."""
    pixels = np.full((21, 40, 1), 100, np.uint8)
    pixels[:, 20:] = 150
    result = result_of(pixels, Layout.GRAY, Sharpen(2, 1))
    middle = 1 / sum(math.exp(-(x**2) / 8) for x in range(-30, 31))
    blurred = 125 + 25 * middle

    assert abs(int(result[10, 20, 0]) - (150 + 150 - blurred)) <= 1
    assert difference_max(result[:, :1], pixels[:, :1]) == 0
