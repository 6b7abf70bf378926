"""Rotate by any angle, against libvips' `affine`, which its `rotate` is."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Geometry, Layout
from stages.chain import compose, scale_allowed
from stages.limits import Limits
from stages.operations.flip import Flip
from stages.operations.resize import Resize
from stages.operations.rotate import Rotate
from stages.rotation import Rotation
from tests.oracles import Pixels, difference_max, in_order, premultiplied, sample, vips_image, vips_pixels
from tests.stages.arenas import transformed
from tests.stages.jpegs import LIMITS

LAYOUTS = list(Layout)
ANGLES = [0.01, 1, 7.3, 30, 45, 89.9, 90.1, 135, 180.5, 271, -12.7, 3630]
BACKGROUND = (200, 100, 50)


def vips_rotated(pixels: Pixels, angle: float, background: Sequence[float]) -> Pixels:
    """Of pixels in the order of `oracles`; alpha weighs."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    matrix = [cosine, -sine, sine, cosine]
    image = vips_image(pixels)
    if image.bands < 4:
        return vips_pixels(image.affine(matrix, background=background))
    weighed = [value * background[3] / 255 for value in background[:3]] + [background[3]]
    return vips_pixels(image.premultiply().affine(matrix, background=weighed, premultiplied=True).unpremultiply())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("angle", ANGLES)
def test_rotate_is_that_of_libvips(layout: Layout, angle: float) -> None:
    """Within 1: both interpolate linearly between the same pixels, and round at other places. The size is the same."""
    color = [124] if layout is Layout.GRAY else [*BACKGROUND, 255][: layout.channels]  # Rec. 601
    expected = vips_rotated(in_order(sample(layout), layout), angle, color)
    result = in_order(transformed(sample(layout), layout, Rotate(angle, BACKGROUND)), layout)

    if layout.channels == 4:
        result, expected = premultiplied(result), premultiplied(expected)
    assert difference_max(result, expected) <= 1


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("alpha", [0, 128])
def test_rotate_on_a_color_that_lets_through_adds_alpha(layout: Layout, alpha: int) -> None:
    colors = np.broadcast_to(in_order(sample(layout), layout)[..., :3], (400, 600, 3))
    own = sample(layout)[..., 3:] if layout.channels == 4 else np.full((400, 600, 1), 255, np.uint8)
    expected = vips_rotated(np.concatenate([colors, own], axis=2), 20, [*BACKGROUND, alpha])
    result = transformed(sample(layout), layout, Rotate(20, (*BACKGROUND, alpha)))
    with_alpha = Layout.BGRA if layout in (Layout.BGR, Layout.BGRA) else Layout.RGBA

    assert difference_max(premultiplied(in_order(result, with_alpha)), premultiplied(expected)) <= 1


def test_rotate_of_alpha_is_premultiplied() -> None:
    """Red where it can be seen, green where it cannot: no green may come through at the border."""
    pixels = np.zeros((100, 120, 4), np.uint8)
    pixels[..., 1] = 255
    pixels[30:70, 30:90] = (255, 0, 0, 255)

    result = transformed(pixels, Layout.RGBA, Rotate(33, (0, 255, 0, 0)))
    visible = result[result[..., 3] > 0]
    assert visible[:, 1].max() == 0
    assert visible[:, 0].min() == 255


@pytest.mark.parametrize("size", [(1, 1), (1, 16383), (16383, 1), (2, 3), (3000, 2100)])
@pytest.mark.parametrize("layout", [Layout.RGB, Layout.RGBA])
@pytest.mark.parametrize("angle", [0.5, 45, 100])
def test_rotate_of_extreme_shapes_is_that_of_libvips(size: tuple[int, int], layout: Layout, angle: float) -> None:
    """Computed in tiles, whose seams must not show."""
    if math.prod(compose_size(size, angle)) > 12_000_000:
        size = (size[0] // 8 or 1, size[1] // 8 or 1)
    pixels = np.resize(sample(layout)[:, 7:], (size[1], size[0], layout.channels))
    expected = vips_rotated(pixels, angle, [*BACKGROUND, 255][: layout.channels])
    result = transformed(pixels, layout, Rotate(angle, BACKGROUND))

    if layout is Layout.RGBA:
        result, expected = premultiplied(result), premultiplied(expected)
    assert difference_max(result, expected) <= 1


def compose_size(size: tuple[int, int], angle: float) -> tuple[int, int]:
    rotation = Rotation.of(*size, angle)
    return rotation.width, rotation.height


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 65_500), st.integers(1, 65_500), st.floats(-36_000, 36_000))
def test_rotation_holds_the_picture_and_no_more(width: int, height: int, angle: float) -> None:
    rotation = Rotation.of(width, height, angle)
    cosine, sine = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))

    assert abs(rotation.width - (width * cosine + height * sine)) <= 1
    assert abs(rotation.height - (width * sine + height * cosine)) <= 1
    assert rotation.width >= 1
    assert rotation.height >= 1


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.floats(-720, 720), st.data())
def test_rotate_of_a_smaller_picture_is_within_the_most(
    width: int, height: int, angle: float, data: st.DataObject
) -> None:
    most = Rotate(angle).most(Geometry(width, height, Layout.RGB), LIMITS)
    smaller = Geometry(data.draw(st.integers(1, width)), data.draw(st.integers(1, height)), Layout.RGB)
    real = Rotate(angle).plan(smaller, Limits(1 << 31, 1 << 62))

    assert real.width <= most.width
    assert real.height <= most.height


def test_rotate_by_other_angles_is_kept_apart_from_quarter_turns() -> None:
    chain = compose((Rotate(90), Rotate(45), Flip(), Flip(), Rotate(180)), Geometry(90, 60, Layout.RGB), 1, LIMITS)

    assert chain.operations == (Rotate(90), Rotate(45), Rotate(180))


@pytest.mark.parametrize(("angle", "allowed"), [(90, 8), (-180, 8), (45, 1), (90.001, 1)])
def test_rotate_lets_the_decoder_scale_only_where_it_only_moves_pixels(angle: float, allowed: int) -> None:
    chain = compose((Rotate(angle), Resize(100)), Geometry(3200, 3200, Layout.RGB), 1, LIMITS)

    assert scale_allowed(chain) == allowed


def test_rotate_that_makes_too_large_is_refused() -> None:
    with pytest.raises(
        FrameError, match=r"operations\[0\] \(rotate\): result: width 1414 is over max_side 1000"
    ) as caught:
        compose((Rotate(45),), Geometry(1000, 1000, Layout.RGB), 1, Limits(1000, 10_000_000))

    assert caught.value.code is ErrorCode.TOO_LARGE
