"""Normalise, against libvips' L*a*b* stretched between NumPy's percentiles of its L*."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.pixels import Geometry, Layout
from stages.operations.normalise import Normalise
from stages.raster import Raster
from tests.oracles import Pixels, difference_max, in_order, sample, vips_image, vips_pixels, vips_values
from tests.photographs import NAMES, rmse
from tests.stages.operations.results import LAYOUTS, WITH_ALPHA, complaint_about, pictures, result_of, sample_result

RMSE = 0.6
MAX = 2
"""Percentiles are found to 0.06 of L* at worst, libvips converts to 0.05; a stretch of the dull pictures here, to twice
their contrast, doubles both, and libvips' 8-bit tables add 0.4 RMSE."""


def dull(layout: Layout, name: str) -> Pixels:
    """A photograph with half its contrast."""
    pixels = np.array(sample(layout, name))
    colors = min(layout.channels, 3)
    pixels[..., :colors] = pixels[..., :colors] // 2 + 50
    return pixels


def vips_normalise(pixels: Pixels, normalise: Normalise) -> Pixels:
    """By its own percentiles: libvips counts in whole steps of L* and its `percent` misses by some of them."""
    colors = min(pixels.shape[2], 3)
    lab = vips_image(pixels[..., :colors]).colourspace("lab")
    values = vips_values(lab)[..., 0]
    if pixels.shape[2] == 4:
        values = values[pixels[..., 3] > 0]
    black, white = np.percentile(values, [normalise.lower, normalise.upper], method="inverted_cdf")
    factor = 100 / (white - black)
    stretched = lab.linear([factor, 1, 1], [-black * factor, 0, 0])
    result = vips_pixels(stretched.colourspace("b-w" if colors == 1 else "srgb"))
    return np.concatenate([result, pixels[..., colors:]], axis=2)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", NAMES)
def test_normalise_is_libvips(layout: Layout, name: str) -> None:
    pixels = dull(layout, name)
    result = result_of(pixels, layout, Normalise())
    reference = vips_normalise(in_order(pixels, layout), Normalise())

    assert rmse(result, reference) <= RMSE
    assert difference_max(result, reference) <= MAX
    if layout in WITH_ALPHA:
        assert np.array_equal(result[..., 3], pixels[..., 3])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("normalise", [Normalise(0, 100), Normalise(10, 60.5), Normalise(0, 50), Normalise(99, 100)])
def test_normalise_between_other_percentiles_is_libvips(layout: Layout, normalise: Normalise) -> None:
    pixels = dull(layout, "astronaut.png")
    result = result_of(pixels, layout, normalise)

    assert difference_max(result, vips_normalise(in_order(pixels, layout), normalise)) <= MAX


def test_normalise_of_all_makes_the_ends_black_and_white() -> None:
    greys = np.linspace(60, 180, 121).astype(np.uint8).reshape(11, 11, 1)
    result = result_of(greys, Layout.GRAY, Normalise(0, 100))

    assert result[0, 0, 0] == 0
    assert result[-1, -1, 0] == 255
    assert np.all(np.diff(result.ravel().astype(int)) >= 0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_normalise_of_one_colour_changes_nothing(layout: Layout) -> None:
    pixels = np.full((20, 30, layout.channels), 77, np.uint8)

    assert np.array_equal(result_of(pixels, layout, Normalise()), pixels)


@pytest.mark.parametrize("layout", WITH_ALPHA)
def test_normalise_counts_only_what_is_seen(layout: Layout) -> None:
    """Black and white under full transparency do not keep the rest from being stretched."""
    grey = np.linspace(100, 150, 400).astype(np.uint8).reshape(20, 20, 1)
    pixels = np.concatenate([grey, grey, grey, np.full_like(grey, 255)], axis=2)
    pixels[:5] = (0, 0, 0, 0)
    pixels[5:8] = (255, 255, 255, 0)
    result = result_of(pixels, layout, Normalise(0, 100))

    assert result[8, 0, :3].max() == 0
    assert result[-1, -1, :3].min() == 255
    assert np.array_equal(result[..., 3], pixels[..., 3])


def test_normalise_of_the_wholly_transparent_changes_nothing() -> None:
    pixels = np.array(sample(Layout.RGBA))
    pixels[..., 3] = 0

    assert np.array_equal(result_of(pixels, Layout.RGBA, Normalise()), pixels)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_normalise_takes_hardly_any_memory_of_its_own(layout: Layout) -> None:
    pixels = np.full((2000, 1000, layout.channels), 60, np.uint8)
    pixels[:1000, :, :3] = 180
    target = np.zeros_like(pixels)
    tracemalloc.start()
    Normalise(0, 100).apply(Raster.whole(pixels, Geometry(1000, 2000, layout)), target)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert target.max() == 255
    assert peak_bytes < 8 << 20


@settings(max_examples=60, deadline=None)
@given(pictures(), st.floats(0, 99), st.floats(1, 100))
def test_normalise_of_anything_keeps_shape_and_alpha(
    picture: tuple[Pixels, Layout], lower: float, upper: float
) -> None:
    pixels, layout = picture
    lower, upper = min(lower, upper - 0.5, 99), max(upper, 1)
    result = result_of(pixels, layout, Normalise(max(lower, 0), upper))

    assert result.shape == pixels.shape
    assert np.array_equal(result[..., 3:], in_order(pixels, layout)[..., 3:])


def test_normalise_of_one_pixel_is_idle() -> None:
    assert Normalise().is_idle(Geometry(1, 1, Layout.RGB))
    assert not Normalise().is_idle(Geometry(2, 1, Layout.RGB))
    assert Normalise() == Normalise(1, 99)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("lower", -1), ("lower", 99.5), ("lower", math.nan), ("upper", 0.5), ("upper", 100.5), ("upper", math.nan)],
)
def test_normalise_out_of_bounds_names_the_parameter(parameter: str, value: float) -> None:
    assert f".{parameter}`" in complaint_about(**{"op": "normalise", parameter: value})


def test_normalise_with_ends_exchanged_names_the_parameter() -> None:
    assert "lower: expected less than upper 20, not 50" in complaint_about(op="normalise", lower=50, upper=20)
    assert "lower" in complaint_about(op="normalise", lower=50, upper=50)


def test_normalise_stretches_a_photograph_that_has_all_values_hardly() -> None:
    result = sample_result(Layout.RGB, Normalise(0, 100))

    assert rmse(result, sample(Layout.RGB)) <= 1.0
