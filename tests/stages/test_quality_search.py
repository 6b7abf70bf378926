"""The search for a quality against trying every one."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ipc.pixels import Layout
from stages.encodings import JpegEncoding
from stages.quality_search import TRIALS_MAX, Trial, next_quality
from tests.oracles import sample
from tests.stages.arenas import encoded

SIZES = st.lists(st.integers(1, 1 << 40), min_size=100, max_size=100).map(sorted)
"""Of a file at each quality from 1 to 100, growing as it must."""


def searched(sizes: Sequence[int], quality: int, bytes_max: int) -> list[Trial]:
    """Every trial that is made of an encoder with these sizes."""
    trials: list[Trial] = []
    while (at := next_quality(trials, quality, bytes_max)) is not None:
        trials.append(Trial(at, sizes[at - 1]))
        assert len(trials) <= TRIALS_MAX
    return trials


def highest(qualities: Sequence[int], sizes: Sequence[int], bytes_max: int) -> int | None:
    return max((quality for quality in qualities if sizes[quality - 1] <= bytes_max), default=None)


@given(SIZES, st.integers(1, 100), st.integers(1, 1 << 41))
@example([1] * 100, 100, 1)
@example([2] * 100, 100, 1)
@example([1] * 99 + [2], 100, 1)
@example([1, *[1 << 40] * 99], 100, 1)
@settings(deadline=None, max_examples=200)
def test_quality_found_is_the_highest_that_fits_as_if_all_were_tried(
    sizes: list[int], quality: int, bytes_max: int
) -> None:
    tried = [trial.quality for trial in searched(sizes, quality, bytes_max)]

    assert highest(tried, sizes, bytes_max) == highest(range(1, quality + 1), sizes, bytes_max)
    assert tried[0] == quality
    assert len(set(tried)) == len(tried)
    assert set(tried) <= set(range(1, quality + 1))


@given(st.lists(st.integers(1, 1000), min_size=100, max_size=100), st.integers(1, 100), st.integers(1, 1000))
@settings(deadline=None)
def test_quality_of_sizes_that_jump_is_one_that_fits_under_one_that_does_not(
    sizes: list[int], quality: int, bytes_max: int
) -> None:
    tried = [trial.quality for trial in searched(sizes, quality, bytes_max)]
    best = highest(tried, sizes, bytes_max)

    assert best == quality or sizes[best or 0] > bytes_max


@pytest.mark.parametrize("name", ["coffee.png", "astronaut.png", "chelsea.png"])
@pytest.mark.parametrize("quality", [80, 100])
def test_quality_of_detailed_photographs_is_found_in_fewer_trials_than_by_halving(name: str, quality: int) -> None:
    """Halving the range takes one trial and then up to seven, 7.3 and 7.6 in all on average."""
    pixels = np.ascontiguousarray(sample(Layout.RGB, name)[60:220, 100:340])
    sizes = [len(encoded(pixels, Layout.RGB, JpegEncoding(one)).data) for one in range(1, quality + 1)]

    trials = [len(searched(sizes, quality, bytes_max)) for bytes_max in sizes[9:]]

    assert sum(trials) / len(trials) <= 6.8
