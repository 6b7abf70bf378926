"""Negate, against libvips' invert."""

import numpy as np
import pytest

from ipc.pixels import Layout
from stages.operations.negate import Negate
from tests.oracles import in_order, sample, vips_image, vips_pixels
from tests.stages.operations.results import LAYOUTS, WITH_ALPHA, complaint_about, sample_result


@pytest.mark.parametrize("layout", LAYOUTS)
def test_negate_is_libvips(layout: Layout) -> None:
    """Exactly, with alpha as it was."""
    result = sample_result(layout, Negate())
    source = in_order(sample(layout), layout)
    reference = vips_pixels(vips_image(source).invert())

    colors = 3 if layout in WITH_ALPHA else layout.channels
    assert np.array_equal(result[..., :colors], reference[..., :colors])
    assert np.array_equal(result[..., colors:], source[..., colors:])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_negate_twice_is_the_picture(layout: Layout) -> None:
    assert np.array_equal(sample_result(layout, Negate(), Negate()), in_order(sample(layout), layout))


def test_negate_takes_no_parameters() -> None:
    assert "amount" in complaint_about(op="negate", amount=1)
