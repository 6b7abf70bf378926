"""Percentiles and ratios of rounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.figures import Spread, percentile, ratios, spread


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 10.0), (25, 10.0), (50, 20.0), (51, 30.0), (75, 30.0), (99, 40.0), (100, 40.0)]
)
def test_percentile_of_four_values_is_the_one_of_nearest_rank(percent: float, expected: float) -> None:
    assert percentile([40.0, 10.0, 30.0, 20.0], percent) == expected


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=300), st.integers(1, 100))
def test_percentile_of_any_values_has_its_share_at_or_below_it(values: list[int], percent: int) -> None:
    found = percentile(values, percent)

    assert found in values
    assert 100 * sum(value <= found for value in values) >= percent * len(values)
    assert 100 * sum(value < found for value in values) < percent * len(values)


def test_percentile_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@pytest.mark.parametrize("percent", [-1, 101])
def test_percentile_beyond_its_bounds_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="percent: "):
        percentile([1.0], percent)


def test_ratios_of_rounds_on_an_uneven_machine_stay_those_of_each_round() -> None:
    """Each round has the same ratio, while the machine is ten times slower in one and twice in another."""
    theirs = [1000.0, 100.0, 500.0]

    assert ratios([rate * 0.8 for rate in theirs], theirs) == Spread(0.8, 0.8, 0.8)


def test_ratios_of_an_even_number_of_rounds_have_the_middle_as_median() -> None:
    assert ratios([1.0, 2.0, 3.0, 6.0], [1.0, 1.0, 1.0, 1.0]) == Spread(2.5, 1.0, 6.0)


def test_ratios_with_a_round_missing_are_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        ratios([1.0], [1.0, 2.0])


def test_spread_without_rounds_is_refused() -> None:
    with pytest.raises(ValueError, match="no rounds"):
        spread([])
