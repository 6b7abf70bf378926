"""CIE L*a*b*, against the published formulas' fixed points, libvips, and a map that changes nothing."""

import numpy as np
import pytest

from ipc.pixels import Layout
from stages.lab import (
    LUMINANCES,
    grey_table,
    lab_of_rgb,
    lightness,
    linear_light,
    luminance_strips,
    mapped,
    rgb_of_lab,
    srgb,
)
from tests.oracles import in_order, sample, vips_image, vips_values

IDENTITY = np.hstack([np.eye(3), np.zeros((3, 1))])


def test_fixed_points_are_the_standards() -> None:
    """White, black, and the middle grey: 18.42 percent of the light are half of the lightness."""
    assert np.allclose(lab_of_rgb((255, 255, 255)), (100, 0, 0), atol=0.02)
    assert np.allclose(lab_of_rgb((0, 0, 0)), (0, 0, 0), atol=1e-9)
    assert np.allclose(lab_of_rgb((255, 0, 0)), (53.24, 80.09, 67.20), atol=0.05)
    assert np.allclose(lab_of_rgb((0, 0, 255)), (32.30, 79.19, -107.86), atol=0.05)
    assert lightness(np.array([0.18418651851])) == pytest.approx(50)
    assert np.allclose(srgb(linear_light(np.linspace(0, 1, 100))), np.linspace(0, 1, 100), atol=1e-6)


def test_lab_of_any_colour_and_back_is_that_colour() -> None:
    for color in [(1, 2, 3), (200, 100, 50), (9, 250, 130), (255, 0, 255)]:
        assert tuple(rgb_of_lab(np.array([lab_of_rgb(color)]))[0]) == color


@pytest.mark.parametrize("layout", [Layout.RGB, Layout.BGR, Layout.RGBA, Layout.BGRA])
def test_map_that_changes_nothing_gives_the_same_bytes(layout: Layout) -> None:
    """All of them: 16 bits between are enough."""
    every = np.arange(0, 256, 5)
    colors = np.stack(np.meshgrid(every, every, every), axis=-1).reshape(208, 676, 3).astype(np.uint8)
    pixels = colors if layout.channels == 3 else np.dstack([colors, np.full(colors.shape[:2], 77, np.uint8)])
    result = mapped(pixels, layout, IDENTITY, np.empty_like(pixels))

    assert np.array_equal(result, pixels)


def test_luminance_is_that_of_libvips() -> None:
    """Y, within half of one step and what 32-bit floats lose."""
    exact = vips_values(vips_image(sample(Layout.RGB)).colourspace("xyz"))[..., 1] / 100
    for layout in (Layout.RGB, Layout.BGR, Layout.RGBA, Layout.BGRA):
        values = np.concatenate([luminances for _, luminances in luminance_strips(sample(layout), layout)])
        assert np.abs(values / (LUMINANCES - 1) - exact).max() < 0.6 / LUMINANCES


def test_grey_table_of_no_change_is_the_identity() -> None:
    assert grey_table(1, 0) == bytes(range(256))
    assert grey_table(0, 100) == b"\xff" * 256
    assert grey_table(0, -5) == bytes(256)


def test_mapped_of_one_pixel_is_its_colour() -> None:
    pixel = np.array([[[10, 200, 30]]], np.uint8)
    turned = np.hstack([np.diag([1.0, -1.0, -1.0]), np.zeros((3, 1))])
    lab = np.array(lab_of_rgb((10, 200, 30))) * (1, -1, -1)

    assert np.array_equal(mapped(pixel, Layout.RGB, turned, np.empty_like(pixel))[0, 0], rgb_of_lab(lab))
    assert np.array_equal(
        in_order(mapped(in_order(pixel, Layout.BGR), Layout.BGR, turned, np.empty_like(pixel)), Layout.BGR)[0, 0],
        rgb_of_lab(lab),
    )
