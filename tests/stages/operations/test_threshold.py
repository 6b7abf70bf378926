"""Threshold, against the formula and Pillow's grey."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.pixels import Layout
from stages.operations.grayscale import Grayscale
from stages.operations.threshold import Threshold
from tests.oracles import Pixels, in_order, pillow_image, pillow_pixels, sample
from tests.stages.operations.results import (
    LAYOUTS,
    WITH_ALPHA,
    complaint_about,
    pictures,
    result_layout,
    result_of,
    sample_result,
)

PILLOW_SHARE = 1e-3
"""Of the pixels: Pillow's grey is rounded from other integer factors, so that some lie just beyond the threshold."""


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("threshold", [1, 100, 128, 255])
def test_threshold_is_pillows_grey_cut_in_two(layout: Layout, threshold: int) -> None:
    result = sample_result(layout, Threshold(threshold))
    source = in_order(sample(layout), layout)
    grey = pillow_pixels(pillow_image(source[..., : min(layout.channels, 3)]).convert("L"))
    reference = np.where(grey >= threshold, 255, 0)

    assert np.mean(result[..., :1] != reference) <= PILLOW_SHARE
    if layout in WITH_ALPHA:
        assert np.array_equal(result[..., 3], source[..., 3])


@given(pictures(), st.integers(0, 255))
def test_threshold_is_grayscale_cut_in_two(picture: tuple[Pixels, Layout], threshold: int) -> None:
    """Exactly, whatever the picture: the value itself is white."""
    pixels, layout = picture
    grey = result_of(pixels, layout, Grayscale())
    result = result_of(pixels, layout, Threshold(threshold))

    assert result.shape[2] == (4 if layout in WITH_ALPHA else 1)
    colors = min(result.shape[2], 3)
    assert np.array_equal(result[..., :colors], np.where(grey[..., :colors] >= threshold, 255, 0))
    assert np.array_equal(result[..., colors:], grey[..., colors:])


def test_threshold_leaves_one_channel_where_there_is_no_alpha() -> None:
    assert result_layout(sample(Layout.BGR), Layout.BGR, Threshold()) is Layout.GRAY
    assert result_layout(sample(Layout.BGRA), Layout.BGRA, Threshold()) is Layout.BGRA


@pytest.mark.parametrize("threshold", [-1, 256, 12.5, "128"])
def test_threshold_out_of_bounds_names_the_parameter(threshold: object) -> None:
    assert "threshold" in complaint_about(op="threshold", threshold=threshold)
