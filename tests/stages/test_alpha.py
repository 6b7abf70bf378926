"""Colours weighed by alpha: there and back without loss, and over each other."""

import numpy as np
import pytest
from hypothesis import given

from ipc.pixels import Layout
from stages.alpha import divided, flattened, is_opaque, joined, multiplied
from stages.encoders.pillow import laid_on
from tests.oracles import Pixels, sample
from tests.stages.operations.results import WITH_ALPHA, pictures


@given(pictures(WITH_ALPHA))
def test_division_after_multiplication_gives_back_what_is_seen(picture: tuple[Pixels, Layout]) -> None:
    pixels, _ = picture
    values = divided(multiplied(pixels).astype(np.float32))
    seen = pixels[..., 3] > 0

    assert np.abs(values[seen] - pixels[seen]).max(initial=0) < 1e-3
    assert np.all(values[~seen] == 0)


@given(pictures(WITH_ALPHA))
def test_multiplication_is_exact(picture: tuple[Pixels, Layout]) -> None:
    pixels, _ = picture
    exact = pixels.astype(int) * pixels[..., 3:]
    exact[..., 3] = pixels[..., 3].astype(int) * 255

    assert np.array_equal(multiplied(pixels), exact)


def test_picture_is_opaque_where_nothing_shines_through() -> None:
    pixels = np.full((3, 4, 4), 255, np.uint8)
    assert is_opaque(pixels)
    pixels[2, 3, 3] = 254
    assert not is_opaque(pixels)
    assert is_opaque(sample(Layout.GRAY))
    assert is_opaque(sample(Layout.RGB))


@pytest.mark.parametrize("channels", [3, 4])
def test_joined_takes_colours_from_one_and_alpha_from_the_other(channels: int) -> None:
    colors = np.random.default_rng(2).integers(0, 256, (7, 5, channels), np.uint8)
    pixels = np.random.default_rng(3).integers(0, 256, (7, 5, 4), np.uint8)
    canvas = np.zeros((9, 9, 4), np.uint8)
    target = canvas[1:8, 2:7]

    assert joined(colors, pixels, target) is target
    assert np.array_equal(canvas[1:8, 2:7], np.dstack([colors[..., :3], pixels[..., 3]]))
    assert canvas.sum() == target.sum()


def test_flattened_of_the_opaque_is_the_picture_and_lies_in_the_target() -> None:
    pixels = np.array(sample(Layout.RGBA))
    pixels[..., 3] = 255
    target = np.zeros((400, 600, 3), np.uint8)

    assert np.shares_memory(flattened(pixels, (9, 9, 9), target), target)
    assert np.array_equal(target, pixels[..., :3])


@pytest.mark.parametrize("is_opaque_throughout", [False, True])
def test_laid_on_by_pillow_is_flattened_to_the_bit(is_opaque_throughout: bool) -> None:
    """Every alpha with every colour."""
    alphas, colors = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    pixels = np.dstack([colors, colors.T, 255 - colors, alphas])
    if is_opaque_throughout:
        pixels[..., 3] = 255
    for background in ((0, 0, 0), (255, 255, 255), (3, 128, 251)):
        assert np.array_equal(laid_on(pixels, background), flattened(pixels, background))
