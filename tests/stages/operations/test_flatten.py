"""Flatten, against libvips and the formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.pixels import Geometry, Layout
from stages.colors import color_in
from stages.operations.flatten import Flatten
from stages.operations.resize import Resize
from tests.oracles import Pixels, difference_max, in_order, sample, vips_image, vips_pixels
from tests.stages.operations.results import (
    OPAQUE,
    WITH_ALPHA,
    complaint_about,
    pictures,
    result_layout,
    result_of,
    sample_result,
)

LIBVIPS_MAX = 1
"""libvips cuts off where we round."""
COLORS = st.tuples(*[st.integers(0, 255)] * 3)


@pytest.mark.parametrize("layout", WITH_ALPHA)
@pytest.mark.parametrize("background", [(0, 0, 0), (255, 200, 3)])
def test_flatten_is_libvips(layout: Layout, background: tuple[int, int, int]) -> None:
    result = sample_result(layout, Flatten(background))
    reference = vips_pixels(vips_image(sample(Layout.RGBA)).flatten(background=list(background)))

    assert difference_max(result, reference) <= LIBVIPS_MAX


@given(pictures(WITH_ALPHA), COLORS)
def test_flatten_is_the_rounded_mean(picture: tuple[Pixels, Layout], background: tuple[int, int, int]) -> None:
    """Exactly, whatever the picture."""
    pixels, layout = picture
    result = result_of(pixels, layout, Flatten(background))
    source = in_order(pixels, layout).astype(int)
    weighted = source[..., :3] * source[..., 3:] + np.array(background) * (255 - source[..., 3:])

    assert np.array_equal(result, (2 * weighted + 255) // 510)


def test_flatten_keeps_the_order_of_channels() -> None:
    assert result_layout(sample(Layout.BGRA), Layout.BGRA, Flatten()) is Layout.BGR
    assert result_layout(sample(Layout.RGBA), Layout.RGBA, Flatten()) is Layout.RGB
    assert color_in(Layout.BGRA, (1, 2, 3)) == (3, 2, 1, 255)


@pytest.mark.parametrize("layout", OPAQUE)
def test_flatten_without_alpha_is_idle(layout: Layout) -> None:
    assert Flatten((9, 9, 9)).is_idle(Geometry(3, 3, layout))
    assert not Flatten().is_idle(Geometry(3, 3, Layout.RGBA))


def test_flatten_ignores_the_alpha_of_the_background() -> None:
    opaque, glassy = Flatten((10, 20, 30)), Flatten((10, 20, 30, 0))

    assert np.array_equal(sample_result(Layout.RGBA, opaque), sample_result(Layout.RGBA, glassy))


def test_flatten_before_resize_is_flatten_after_it() -> None:
    """It commutes with means of what is seen, and so may stand before a decoder's scaling."""
    before = sample_result(Layout.RGBA, Flatten((255, 0, 0)), Resize(200))
    after = sample_result(Layout.RGBA, Resize(200), Flatten((255, 0, 0)))

    assert np.sqrt(np.mean((before.astype(float) - after) ** 2)) <= 1.0


@pytest.mark.parametrize("background", [[0, 0], [0, 0, 256], [1, 2, 3, 4, 5], "red", [0, 0, -1], [0.5, 0, 0]])
def test_flatten_background_out_of_bounds_names_the_parameter(background: object) -> None:
    assert "background" in complaint_about(op="flatten", background=background)
