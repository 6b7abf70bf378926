"""Extend, against libvips' `embed`."""

import numpy as np
import pytest

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Geometry, Layout
from stages.chain import compose
from stages.limits import Limits
from stages.operations.extend import Extend
from tests.oracles import in_order, sample, vips_image, vips_pixels
from tests.stages.arenas import transformed

LAYOUTS = list(Layout)
EDGES = [(3, 4, 5, 6), (100, 70, 0, 93), (0, 0, 200, 0), (0, 1, 0, 0)]
"""Top, bottom, left, right; of more than the picture has, too."""


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("edges", EDGES)
@pytest.mark.parametrize("source", ["copy", "mirror", "repeat"])
@pytest.mark.parametrize("size", [(30, 40), (1, 1), (1, 7)])
def test_extend_with_the_picture_is_that_of_libvips_to_the_bit(
    layout: Layout, edges: tuple[int, int, int, int], source: str, size: tuple[int, int]
) -> None:
    pixels = np.ascontiguousarray(sample(layout)[200 : 200 + size[0], 100 : 100 + size[1]])
    top, bottom, left, right = edges
    width, height = size[1] + left + right, size[0] + top + bottom
    expected = vips_pixels(vips_image(pixels).embed(left, top, width, height, extend=source))

    assert np.array_equal(transformed(pixels, layout, Extend(*edges, source=source)), expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("edges", EDGES)
def test_extend_with_a_color_is_that_of_libvips_to_the_bit(layout: Layout, edges: tuple[int, int, int, int]) -> None:
    pixels = sample(layout)
    top, bottom, left, right = edges
    color = [127] if layout is Layout.GRAY else [10, 200, 60, 255][: layout.channels]  # Rec. 601
    embedded = vips_image(in_order(pixels, layout)).embed(
        left, top, 600 + left + right, 400 + top + bottom, extend="background", background=color
    )

    result = transformed(pixels, layout, Extend(*edges, background=(10, 200, 60)))
    assert np.array_equal(in_order(result, layout), vips_pixels(embedded))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_extend_with_a_color_that_lets_through_adds_alpha(layout: Layout) -> None:
    """The picture itself stays as opaque as it was."""
    pixels = sample(layout)
    result = transformed(pixels, layout, Extend(1, 2, 3, 4, background=(10, 200, 60, 128)))
    with_alpha = Layout.BGRA if layout in (Layout.BGR, Layout.BGRA) else Layout.RGBA
    result = in_order(result, with_alpha).copy()
    colors = np.broadcast_to(in_order(pixels, layout)[..., :3], (400, 600, 3))

    assert result.shape == (403, 607, 4)
    assert np.array_equal(result[1:-2, 3:-4, :3], colors)
    assert np.array_equal(result[1:-2, 3:-4, 3], pixels[..., 3] if layout.channels == 4 else np.full((400, 600), 255))
    result[1:-2, 3:-4] = (10, 200, 60, 128)
    assert (result == (10, 200, 60, 128)).all()


def test_extend_default_is_black_and_opaque() -> None:
    result = transformed(sample(Layout.RGBA), Layout.RGBA, Extend(left=1))

    assert np.array_equal(result[:, 0], np.broadcast_to([0, 0, 0, 255], (400, 4)))


def test_extend_by_nothing_is_dropped() -> None:
    source = Geometry(600, 400, Layout.GRAY)
    chain = compose((Extend(background=(0, 0, 0, 0)),), source, 1, Limits(600, 240_000))

    assert (chain.operations, chain.result) == ((), source)


@pytest.mark.parametrize(
    ("extend", "message"),
    [
        (Extend(left=300, right=101), "width 1001 is over max_side 1000"),
        (Extend(top=1 << 62), "max_side"),
        (Extend(400, 200, 300), "900 x 1000 pixels are over max_pixels 500000"),
    ],
)
def test_extend_beyond_a_limit_is_too_large(extend: Extend, message: str) -> None:
    with pytest.raises(FrameError, match=message) as caught:
        compose((extend,), Geometry(600, 400, Layout.RGB), 1, Limits(1000, 500_000))

    assert caught.value.code is ErrorCode.TOO_LARGE


def test_extend_with_both_a_color_and_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="with: excludes background"):
        Extend(1, background=(0, 0, 0), source="copy")
