"""Histograms: exact counts, bounded error, and sums that do not depend on order."""

from math import ceil

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.histogram import (
    BUCKETS,
    LIMIT_US,
    RELATIVE_ERROR,
    Histogram,
    HistogramSnapshot,
    bucket_bounds,
    bucket_of,
    difference,
    merge,
    quantile,
)

# Short and long durations alike: a uniform choice would hardly ever give one below a second.
durations = st.one_of(st.integers(0, 1000), st.integers(0, 10**6), st.integers(0, LIMIT_US))


def recorded(values_us: list[int]) -> HistogramSnapshot:
    histogram = Histogram()
    for value_us in values_us:
        histogram.record(value_us)
    return histogram.snapshot()


@given(st.lists(durations, min_size=1), st.floats(0, 1))
def test_quantile_of_any_durations_is_within_the_stated_error(values_us: list[int], q: float) -> None:
    true_us = sorted(values_us)[max(ceil(q * len(values_us)), 1) - 1]

    assert abs(quantile(recorded(values_us), q) - true_us) <= RELATIVE_ERROR * true_us


@given(st.lists(durations), st.lists(durations))
def test_merge_of_parts_equals_recording_everything_in_one(first: list[int], second: list[int]) -> None:
    assert merge([recorded(first), recorded(second)]) == recorded(first + second)


@given(st.lists(st.lists(durations, max_size=5), max_size=4))
def test_merge_in_any_order_and_grouping_gives_the_same(parts: list[list[int]]) -> None:
    snapshots = [recorded(part) for part in parts]
    shuffled = snapshots[::-1]

    assert merge(snapshots) == merge(shuffled) == merge([merge(snapshots[:2]), merge(snapshots[2:])])


def test_buckets_cover_the_range_without_gap_or_overlap() -> None:
    expected_us = 0
    for bucket in range(BUCKETS):
        lowest, longest = bucket_bounds(bucket)
        assert lowest == expected_us
        assert bucket_of(lowest) == bucket_of(longest) == bucket
        expected_us = longest + 1

    assert expected_us == LIMIT_US + 1


@given(durations)
def test_record_puts_each_duration_into_its_bucket(value_us: int) -> None:
    snapshot = recorded([value_us])

    assert (snapshot.first, snapshot.counts) == (bucket_of(value_us), (1,))
    assert (snapshot.count, snapshot.sum_us, snapshot.max_us) == (1, value_us, value_us)


@pytest.mark.parametrize(("value_us", "counted_as_us"), [(-1, 0), (LIMIT_US + 1, LIMIT_US), (1 << 70, LIMIT_US)])
def test_record_out_of_range_counts_as_the_bound(value_us: int, counted_as_us: int) -> None:
    assert recorded([value_us, value_us]) == recorded([counted_as_us, counted_as_us])


def test_snapshot_of_nothing_is_empty_and_its_quantile_zero() -> None:
    assert recorded([]) == HistogramSnapshot() == merge([])
    assert quantile(HistogramSnapshot(), 0.99) == 0


def test_snapshot_does_not_change_with_later_records() -> None:
    histogram = Histogram()
    histogram.record(5)
    snapshot = histogram.snapshot()
    histogram.record(7)

    assert snapshot == recorded([5])


@given(st.lists(durations))
def test_snapshot_survives_its_travel(values_us: list[int]) -> None:
    snapshot = recorded(values_us)

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot), type=HistogramSnapshot) == snapshot


@pytest.mark.parametrize(
    "fields",
    [
        [-1, [1], 0, 0],
        [BUCKETS, [], 0, 0],
        [BUCKETS - 1, [1, 1], 0, 0],
        [0, [1] * (BUCKETS + 1), 0, 0],
        [0, [-1], 0, 0],
    ],
    ids=["first below", "first beyond", "end beyond", "too long", "negative count"],
)
def test_snapshot_outside_the_layout_is_refused(fields: list[object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(fields), type=HistogramSnapshot)


@pytest.mark.parametrize("q", [-0.1, 1.1, float("nan")])
def test_quantile_outside_zero_to_one_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="q:"):
        quantile(recorded([1]), q)


@given(st.lists(st.integers(0, LIMIT_US)), st.lists(st.integers(0, LIMIT_US)))
def test_difference_is_what_was_recorded_in_between(before: list[int], between: list[int]) -> None:
    histogram = Histogram()
    for value_us in before:
        histogram.record(value_us)
    older = histogram.snapshot()
    alone = Histogram()
    for value_us in between:
        histogram.record(value_us)
        alone.record(value_us)

    found, expected = difference(histogram.snapshot(), older), alone.snapshot()
    assert (found.first, found.counts, found.sum_us) == (expected.first, expected.counts, expected.sum_us)
    assert expected.max_us <= found.max_us <= expected.max_us * (1 + 2 * RELATIVE_ERROR) + 1
