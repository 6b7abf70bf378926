"""Operations that only move pixels: flip, flop, quarter turns, extract, and a resize that does not scale."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import ImageOps

from ipc.pixels import Layout
from stages.operation import Operation
from stages.operations.extract import Extract
from stages.operations.flip import Flip
from stages.operations.flop import Flop
from stages.operations.resize import Resize
from stages.operations.rotate import Rotate
from tests.oracles import Pixels, pillow_image, pillow_pixels, sample
from tests.stages.arenas import transformed

LAYOUTS = list(Layout)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("operation", "same"),
    [
        (Flip(), lambda p: p[::-1]),
        (Flop(), lambda p: p[:, ::-1]),
        (Rotate(90), lambda p: np.rot90(p, -1)),
        (Rotate(180), lambda p: np.rot90(p, 2)),
        (Rotate(270), lambda p: np.rot90(p, 1)),
        (Rotate(-90), lambda p: np.rot90(p, 1)),
        (Extract(1, 2, 3, 4), lambda p: p[2:6, 1:4]),
        (Extract(599, 399, 1, 1), lambda p: p[399:, 599:]),
        (Resize(500, 400, without_reduction=True, position="right"), lambda p: p[:, 100:]),
    ],
)  # fmt: skip
def test_operation_that_moves_pixels_is_exact(
    layout: Layout, operation: Operation, same: Callable[[Pixels], Pixels]
) -> None:
    pixels = sample(layout)

    assert np.array_equal(transformed(pixels, layout, operation), same(pixels))


def test_flips_of_pillow_are_ours() -> None:
    """The names: flip is top to bottom, flop is left to right."""
    pixels = sample(Layout.RGB)
    image = pillow_image(pixels)

    assert np.array_equal(transformed(pixels, Layout.RGB, Flip()), pillow_pixels(ImageOps.flip(image)))
    assert np.array_equal(transformed(pixels, Layout.RGB, Flop()), pillow_pixels(ImageOps.mirror(image)))
