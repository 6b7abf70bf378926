"""Linear, against libvips and the formula."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.pixels import Geometry, Layout
from stages.chain import compose
from stages.operations.gamma import Gamma
from stages.operations.linear import Linear
from stages.operations.negate import Negate
from tests.oracles import difference_max, in_order, sample, vips_image, vips_pixels
from tests.stages.jpegs import LIMITS
from tests.stages.operations.results import LAYOUTS, complaint_about, sample_result

LIBVIPS_MAX = 1
"""Halves are rounded up by us and to even numbers there."""


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("a", "b"), [(1.5, 0), (0.5, 10.25), (-1, 255), (1, -300), (40, -4000)])
def test_linear_is_libvips(layout: Layout, a: float, b: float) -> None:
    result = sample_result(layout, Linear(a, b))
    source = in_order(sample(layout), layout)
    colors = min(layout.channels, 3)
    reference = vips_pixels(vips_image(source[..., :colors]).linear(a, b))

    assert difference_max(result[..., :colors], reference) <= LIBVIPS_MAX
    assert np.array_equal(result[..., colors:], source[..., colors:])


@given(st.floats(-1000, 1000), st.floats(-100_000, 100_000))
def test_linear_table_is_the_clipped_line(a: float, b: float) -> None:
    table = np.frombuffer(Linear(a, b).table(), np.uint8)
    exact = np.clip(a * np.arange(256) + b, 0, 255)

    assert np.abs(table - exact).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("layout", LAYOUTS)
def test_linear_beside_other_tables_is_one_after_the_other(layout: Layout) -> None:
    """They are merged into one pass, which must not show."""
    merged = sample_result(layout, Linear(1.3, -20), Negate(), Gamma(1.7))
    tables = [np.frombuffer(one.table(), np.uint8) for one in (Linear(1.3, -20), Negate(), Gamma(1.7))]
    source = in_order(sample(layout), layout)
    colors = min(layout.channels, 3)

    assert np.array_equal(merged[..., :colors], tables[2][tables[1][tables[0][source[..., :colors]]]])
    assert np.array_equal(merged[..., colors:], source[..., colors:])


def test_linear_is_planned_without_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker plans: a header of nothing else would keep it from all other frames for milliseconds."""
    monkeypatch.setattr(Linear, "table", None)

    assert compose((Linear(1.5),), Geometry(9, 9, Layout.RGB), 1, LIMITS).operations == (Linear(1.5),)


def test_linear_of_one_and_none_is_idle() -> None:
    geometry = Geometry(9, 9, Layout.RGB)

    assert Linear().is_idle(geometry)
    assert not Linear(1.01).is_idle(geometry)
    assert not Linear(b=1).is_idle(geometry)


@pytest.mark.parametrize("parameter", ["a", "b"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e6, "1"])
def test_linear_out_of_bounds_names_the_parameter(parameter: str, value: object) -> None:
    assert f".{parameter}`" in complaint_about(op="linear", **{parameter: value})
