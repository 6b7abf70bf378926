"""What operations make of photographs, and of whatever hypothesis thinks up, in the order the oracles take."""

import msgspec
import numpy as np
import pytest
from hypothesis import strategies as st

from ipc.pixels import Geometry, Layout
from stages.chain import compose
from stages.operation import Operation
from stages.operations import decode_operations
from tests.oracles import Pixels, in_order, sample
from tests.stages.arenas import transformed
from tests.stages.jpegs import LIMITS

LAYOUTS = list(Layout)
OPAQUE = (Layout.GRAY, Layout.RGB, Layout.BGR)
WITH_ALPHA = (Layout.RGBA, Layout.BGRA)


def result_layout(pixels: Pixels, layout: Layout, *operations: Operation) -> Layout:
    """The layout that the plan gives the result."""
    return compose(operations, Geometry(pixels.shape[1], pixels.shape[0], layout), 1, LIMITS).result.layout


def result_of(pixels: Pixels, layout: Layout, *operations: Operation) -> Pixels:
    """Pixels of `layout` as the transform stage gives them, brought to GRAY, RGB or RGBA."""
    return in_order(transformed(pixels, layout, *operations), result_layout(pixels, layout, *operations))


def sample_result(layout: Layout, *operations: Operation, name: str = "coffee.png") -> Pixels:
    """The same of a photograph."""
    return result_of(sample(layout, name), layout, *operations)


def complaint_about(**entry: object) -> str:
    """Why an entry of a request's `operations` is refused."""
    with pytest.raises(msgspec.ValidationError) as refusal:
        decode_operations(msgspec.msgpack.encode([entry]))
    return str(refusal.value)


@st.composite
def pictures(draw: st.DrawFn, layouts: tuple[Layout, ...] = tuple(Layout), side_max: int = 40) -> tuple[Pixels, Layout]:
    """Noise of any size up to `side_max`, with all of a channel's values, and what layout it has."""
    layout = draw(st.sampled_from(layouts))
    width, height = draw(st.integers(1, side_max)), draw(st.integers(1, side_max))
    chance = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    pixels = chance.integers(0, 256, (height, width, layout.channels), np.uint8)
    if draw(st.booleans()):
        pixels[pixels > 200] = 255
        pixels[pixels < 50] = 0
    return pixels, layout
