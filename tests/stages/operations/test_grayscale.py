"""Grayscale, against Pillow's and the formula."""

import numpy as np
import pytest
from hypothesis import given

from ipc.pixels import Geometry, Layout
from stages.operations.grayscale import Grayscale
from tests.oracles import Pixels, difference_max, in_order, pillow_image, pillow_pixels, sample
from tests.stages.operations.results import (
    LAYOUTS,
    WITH_ALPHA,
    complaint_about,
    pictures,
    result_layout,
    result_of,
    sample_result,
)

PILLOW_MAX = 1
"""Its weights are other fractions of 65536."""


@pytest.mark.parametrize("layout", LAYOUTS)
def test_grayscale_is_pillows(layout: Layout) -> None:
    result = sample_result(layout, Grayscale())
    source = in_order(sample(layout), layout)
    reference = pillow_pixels(pillow_image(source[..., : min(layout.channels, 3)]).convert("L"))

    for channel in range(min(result.shape[2], 3)):
        assert difference_max(result[..., channel : channel + 1], reference) <= PILLOW_MAX
    assert np.array_equal(result[..., 1:][..., 2:], source[..., 3:])


@given(pictures(tuple(layout for layout in Layout if layout is not Layout.GRAY)))
def test_grayscale_of_anything_is_rec_601(picture: tuple[Pixels, Layout]) -> None:
    """OpenCV's weights are fractions of 32768: within what rounding makes, and that."""
    pixels, layout = picture
    exact = in_order(pixels, layout)[..., :3] @ np.array([0.299, 0.587, 0.114])
    result = result_of(pixels, layout, Grayscale())

    assert np.abs(result[..., 0] - exact).max() <= 0.51
    if layout in WITH_ALPHA:
        assert np.ptp(result[..., :3], axis=2).max() == 0
        assert np.array_equal(result[..., 3], pixels[..., 3])


def test_grayscale_leaves_one_channel_where_there_is_no_alpha() -> None:
    assert result_layout(sample(Layout.BGR), Layout.BGR, Grayscale()) is Layout.GRAY
    assert result_layout(sample(Layout.BGRA), Layout.BGRA, Grayscale()) is Layout.BGRA
    assert Grayscale().is_idle(Geometry(3, 3, Layout.GRAY))


def test_grayscale_takes_no_parameters() -> None:
    assert "weights" in complaint_about(op="grayscale", weights=[1, 1, 1])
