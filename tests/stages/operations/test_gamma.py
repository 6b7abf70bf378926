"""Gamma, against the formula in 64-bit floats and libvips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.pixels import Geometry, Layout
from stages.chain import compose
from stages.operations.gamma import Gamma
from tests.oracles import difference_max, in_order, sample, vips_image, vips_pixels
from tests.stages.jpegs import LIMITS
from tests.stages.operations.results import LAYOUTS, complaint_about, sample_result

LIBVIPS_MAX = 1
"""libvips cuts off where we round."""


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("gamma", [1.2, 2.2, 3.0])
def test_gamma_is_libvips(layout: Layout, gamma: float) -> None:
    result = sample_result(layout, Gamma(gamma))
    source = in_order(sample(layout), layout)
    reference = vips_pixels(vips_image(source).gamma(exponent=gamma))

    colors = min(layout.channels, 3)
    assert difference_max(result[..., :colors], reference[..., :colors]) <= LIBVIPS_MAX
    assert np.array_equal(result[..., colors:], source[..., colors:])


@given(st.floats(1, 3))
def test_gamma_table_is_the_rounded_power(gamma: float) -> None:
    table = np.frombuffer(Gamma(gamma).table(), np.uint8)
    exact = 255 * (np.arange(256) / 255) ** (1 / gamma)

    assert np.abs(table - exact).max() <= 0.5 + 1e-9
    assert np.all(np.diff(table.astype(int)) >= 0)


def test_gamma_is_planned_without_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker plans: a header of nothing else would keep it from all other frames for milliseconds."""
    monkeypatch.setattr(Gamma, "table", None)

    assert compose((Gamma(2.0),), Geometry(9, 9, Layout.RGB), 1, LIMITS).operations == (Gamma(2.0),)


def test_gamma_of_one_is_idle() -> None:
    geometry = Geometry(9, 9, Layout.RGB)

    assert Gamma(1.0).is_idle(geometry)
    assert not Gamma(1.1).is_idle(geometry)
    assert Gamma() == Gamma(2.2)


@pytest.mark.parametrize("gamma", [0.99, 3.01, float("nan"), float("inf"), "2.2"])
def test_gamma_out_of_bounds_names_the_parameter(gamma: object) -> None:
    assert "gamma" in complaint_about(op="gamma", gamma=gamma)
