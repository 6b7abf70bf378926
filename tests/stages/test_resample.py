"""Resampling of boxes whose edges lie inside pixels, against Pillow."""

import numpy as np
import pytest
from PIL import Image

from stages.raster import Box
from stages.resample import Kernel, resample
from tests.photographs import photograph_image, rmse

COFFEE = photograph_image("coffee.png")
PIXELS = np.asarray(COFFEE)
FILTERS = {
    "lanczos3": Image.Resampling.LANCZOS,
    "cubic": Image.Resampling.BICUBIC,
    "linear": Image.Resampling.BILINEAR,
}


@pytest.mark.parametrize("kernel", ["lanczos3", "cubic", "linear"])
@pytest.mark.parametrize(
    ("box", "size"),
    [
        (Box(0.25, 0.75, 599.5, 399.0), (290, 190)),
        (Box(310.4, 211.3, 150.7, 150.1), (100, 90)),
        (Box(100.5, 50.25, 33.3, 44.4), (200, 222)),
        (Box(200.3, 150.6, 300.2, 100.1), (70, 350)),
        (Box(200.3, 150.6, 100.1, 240.2), (350, 70)),
    ],
    ids=["nearly all", "smaller", "larger", "narrower and taller", "wider and lower"],
)
def test_resample_of_fractional_box_is_pillows(kernel: Kernel, box: Box, size: tuple[int, int]) -> None:
    """Down to where its edges lie inside pixels, and with what lies just outside of it."""
    corners = (box.left, box.top, box.left + box.width, box.top + box.height)
    reference = np.asarray(COFFEE.resize(size, FILTERS[kernel], box=corners))

    assert rmse(resample(PIXELS, box, *size, kernel), reference) <= 0.6  # two roundings to 8 bits: 0.3 to 0.54


def test_resample_of_whole_pixels_copies_nothing() -> None:
    result = resample(PIXELS, Box(10.0, 20.0, 30.0, 40.0), 30, 40, "lanczos3")

    assert np.shares_memory(result, PIXELS)
    assert np.array_equal(result, PIXELS[20:60, 10:40])


@pytest.mark.parametrize("kernel", ["nearest", "area"])
def test_resample_in_place_kernels_write_into_the_target(kernel: Kernel) -> None:
    target = np.zeros((50, 75, 3), np.uint8)
    result = resample(PIXELS, Box(0.0, 0.0, 600.0, 400.0), 75, 50, kernel, target)

    assert np.shares_memory(result, target)
    assert rmse(target, np.asarray(COFFEE.resize((75, 50), Image.Resampling.BOX))) < 40


def test_resample_area_to_enlarge_is_linear() -> None:
    box = Box(0.0, 0.0, 600.0, 400.0)

    assert np.array_equal(resample(PIXELS, box, 700, 300, "area"), resample(PIXELS, box, 700, 300, "linear"))
