"""From one layout to another, against Pillow, and there and back."""

import itertools

import numpy as np
import pytest

from ipc.pixels import Layout
from stages.layouts import colored, converted, is_reversed, without_alpha
from tests.oracles import in_order, pillow_image, pillow_pixels, sample

LOSSLESS = [
    (layout, wanted)
    for layout, wanted in itertools.product(Layout, Layout)
    if wanted is layout or (wanted is not Layout.GRAY and wanted.channels >= layout.channels)
]


@pytest.mark.parametrize(("layout", "wanted"), LOSSLESS)
def test_conversion_is_pillows(layout: Layout, wanted: Layout) -> None:
    result = in_order(converted(sample(layout), layout, wanted), wanted)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[wanted.channels]

    assert np.array_equal(result, pillow_pixels(pillow_image(in_order(sample(layout), layout)).convert(mode)))


@pytest.mark.parametrize(
    ("layout", "wanted"), [pair for pair in itertools.product(Layout, Layout) if pair not in LOSSLESS]
)
def test_conversion_that_would_lose_something_is_refused(layout: Layout, wanted: Layout) -> None:
    with pytest.raises(ValueError, match=f"{layout} cannot become {wanted}"):
        converted(sample(layout), layout, wanted)


def test_conversion_into_a_target_lies_there() -> None:
    target = np.zeros((400, 600, 4), np.uint8)

    assert np.shares_memory(converted(sample(Layout.BGR), Layout.BGR, Layout.RGBA, target), target)
    assert np.array_equal(target[..., :3], sample(Layout.RGB))


def test_conversion_to_itself_copies_nothing() -> None:
    assert converted(sample(Layout.BGR), Layout.BGR, Layout.BGR) is sample(Layout.BGR)


def test_layouts_beside_each_other() -> None:
    assert [colored(layout) for layout in Layout] == [Layout.RGB, Layout.RGB, Layout.BGR, Layout.RGBA, Layout.BGRA]
    assert [without_alpha(layout) for layout in Layout] == [Layout.GRAY, Layout.RGB, Layout.BGR, Layout.RGB, Layout.BGR]
    assert [layout for layout in Layout if is_reversed(layout)] == [Layout.BGR, Layout.BGRA]
