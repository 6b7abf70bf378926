"""Modulate, against libvips' CIE LCh."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.pixels import Geometry, Layout
from stages.operations.modulate import Modulate
from tests.oracles import Pixels, difference_max, in_order, sample, vips_image, vips_pixels
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

RMSE = 0.5
"""Ours is within 0.1 of the formula besides rounding; libvips' tables of 8-bit sRGB make 0.4 of it."""
MAX = 1
ANY_MAX = 2
"""Far outside of what sRGB has, one step of a channel weighs more."""
ALL: tuple[Modulate, ...] = (
    Modulate(brightness=1.4),
    Modulate(saturation=0),
    Modulate(saturation=2.5),
    Modulate(hue=90),
    Modulate(hue=-200.5),
    Modulate(lightness=-20),
    Modulate(brightness=0.6, saturation=1.5, hue=45, lightness=12.5),
)


def vips_modulate(pixels: Pixels, modulate: Modulate) -> Pixels:
    """As sharp does it."""
    colors = min(pixels.shape[2], 3)
    image = vips_image(pixels[..., :colors])
    lch = image.colourspace("lch").linear(
        [modulate.brightness, modulate.saturation, 1], [modulate.lightness, 0, modulate.hue]
    )
    result = vips_pixels(lch.colourspace("b-w" if colors == 1 else "srgb"))
    return np.concatenate([result, pixels[..., colors:]], axis=2)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("modulate", ALL)
def test_modulate_is_libvips(layout: Layout, modulate: Modulate) -> None:
    result = sample_result(layout, modulate)
    reference = vips_modulate(in_order(sample(layout), layout), modulate)

    assert rmse(result, reference) <= RMSE
    assert difference_max(result, reference) <= MAX
    if layout in WITH_ALPHA:
        assert np.array_equal(result[..., 3], reference[..., 3])


@settings(max_examples=60, deadline=None)
@given(
    pictures(),
    st.floats(0, 5),
    st.floats(0, 5),
    st.floats(-3600, 3600),
    st.floats(-100, 100),
)
def test_modulate_of_anything_is_libvips(
    picture: tuple[Pixels, Layout], brightness: float, saturation: float, hue: float, lightness: float
) -> None:
    pixels, layout = picture
    modulate = Modulate(brightness, saturation, hue, lightness)
    result = result_of(pixels, layout, modulate)

    # What libvips' tables are off by grows with the chroma, far outside of sRGB, and shows in the dark channels.
    bound = ANY_MAX * max(1.0, brightness, saturation)
    assert difference_max(result, vips_modulate(in_order(pixels, layout), modulate)) <= bound


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 100), st.floats(0, 100), st.floats(-3600, 3600), st.floats(-100, 100))
def test_modulate_leaves_greys_without_colour(
    brightness: float, saturation: float, hue: float, lightness: float
) -> None:
    """However much colour is multiplied: there is none."""
    greys = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    result = result_of(greys, Layout.RGB, Modulate(brightness, saturation, hue, lightness)).astype(int)

    assert np.ptp(result, axis=2).max() <= 1


def test_modulate_that_changes_nothing_is_idle() -> None:
    color, grey = Geometry(9, 9, Layout.RGB), Geometry(9, 9, Layout.GRAY)

    assert Modulate().is_idle(color)
    assert Modulate(hue=720).is_idle(color)
    assert not Modulate(hue=1).is_idle(color)
    assert Modulate(hue=1, saturation=3).is_idle(grey)
    assert not Modulate(lightness=1).is_idle(grey)
    assert not Modulate(saturation=1.01).is_idle(color)


@pytest.mark.parametrize("layout", OPAQUE)
def test_modulate_of_brightness_none_is_black(layout: Layout) -> None:
    assert sample_result(layout, Modulate(brightness=0, saturation=0)).max() == 0


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("brightness", -0.1),
        ("brightness", 101),
        ("saturation", -0.1),
        ("saturation", 101),
        ("hue", 3601),
        ("hue", -3601),
        ("lightness", 101),
        ("lightness", -101),
        *[(parameter, math.nan) for parameter in ("brightness", "saturation", "hue", "lightness")],
    ],
)
def test_modulate_out_of_bounds_names_the_parameter(parameter: str, value: float) -> None:
    assert f".{parameter}`" in complaint_about(**{"op": "modulate", parameter: value})
