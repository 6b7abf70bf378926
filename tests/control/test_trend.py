"""Growth without an end, told from all other growth: memory as processes were seen to have it, played at any speed."""

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.trend import POINTS, REMEMBERED, WINDOWS, Growth, Judge, LowPoints, Sample, Window, fit, given_back

MIB = 1 << 20
BASE_BYTES = 30 * MIB
INTERVAL_S = 2.0

Shape = Callable[[float], float]
"""MiB above the base, by seconds."""
SEEDS = st.integers(0, 1 << 32)


class Run:
    """A process that is sampled as the control plane samples it: about every 2 s, from any moment on."""

    def __init__(self, seed: int = 0, noise_mib: float = 0.03, frames_per_s: float | None = 100.0) -> None:
        self._chance = random.Random(seed)
        self._noise_mib = noise_mib
        self._frames_per_s = frames_per_s
        self._at_s = self._began_s = self._chance.uniform(0, 10_000)
        self.judge = Judge()
        self.accusations: list[float] = []

    def follow(self, shape: Shape, seconds: float, frames: Callable[[float], float] | None = None) -> "Run":
        """Sample for a time. `frames` says how many were done by then, where it is no even load."""
        began_s = self._at_s
        while (since_s := self._at_s - began_s) < seconds:
            noise_mib = abs(self._chance.gauss(0, self._noise_mib))
            done = frames(since_s) if frames else (self._at_s - self._began_s) * (self._frames_per_s or 0)
            stood = self.judge.is_growing
            held_bytes = BASE_BYTES + round((shape(since_s) + noise_mib) * MIB)
            self.judge.add(Sample(self._at_s, held_bytes, None if self._frames_per_s is None else int(done)))
            if self.judge.is_growing and not stood:
                self.accusations.append(since_s)
            self._at_s += INTERVAL_S + self._chance.uniform(-0.3, 0.6)
        return self

    @property
    def growth(self) -> Growth:
        """What the judge shows."""
        assert self.judge.growth is not None
        return self.judge.growth


def leak(mib_per_minute: float) -> Shape:
    return lambda at_s: mib_per_minute * at_s / 60


def saturating(amount_mib: float, time_constant_s: float) -> Shape:
    return lambda at_s: amount_mib * (1 - math.exp(-at_s / time_constant_s))


def step(amount_mib: float, when_s: float) -> Shape:
    return lambda at_s: amount_mib * (at_s >= when_s)


def saw_tooth(amount_mib: float, period_s: float) -> Shape:
    return lambda at_s: amount_mib * (at_s / period_s % 1)


def together(*shapes: Shape) -> Shape:
    return lambda at_s: sum(shape(at_s) for shape in shapes)


# -------------------- the guilty --------------------


@given(st.floats(4, 2000), SEEDS)
def test_leak_is_found_within_50_s_and_measured(mib_per_minute: float, seed: int) -> None:
    run = Run(seed).follow(leak(mib_per_minute), 60)

    assert run.accusations
    assert run.accusations[0] <= 50
    assert run.growth.bytes_per_s * 60 == pytest.approx(mib_per_minute * MIB, rel=0.15)
    per_frame = run.growth.bytes_per_frame
    assert per_frame == pytest.approx(mib_per_minute * MIB / 6000, rel=0.15)


@given(st.floats(4, 200), SEEDS)
def test_leak_that_begins_after_quiet_hours_is_found_within_50_s(mib_per_minute: float, seed: int) -> None:
    run = Run(seed).follow(lambda _: 0, 1200).follow(leak(mib_per_minute), 60)

    assert len(run.accusations) == 1
    assert run.accusations[0] <= 50


@given(st.floats(5, 200), st.floats(0.5, 3), SEEDS)
def test_leak_behind_a_start_is_found_within_60_s(mib_per_minute: float, time_constant_s: float, seed: int) -> None:
    run = Run(seed).follow(together(leak(mib_per_minute), saturating(20, time_constant_s)), 70)

    assert run.accusations
    assert run.accusations[0] <= 60
    assert run.growth.bytes_per_s * 60 == pytest.approx(mib_per_minute * MIB, rel=0.3)


@given(st.floats(5, 200), st.floats(0, 40), SEEDS)
def test_leak_behind_one_large_picture_is_found_within_60_s(mib_per_minute: float, when_s: float, seed: int) -> None:
    run = Run(seed).follow(together(leak(mib_per_minute), step(60, when_s)), 70)

    assert run.accusations
    assert run.accusations[0] <= 60


@pytest.mark.parametrize("seed", range(8))
def test_leak_by_the_frame_under_a_load_that_comes_and_goes_is_found(seed: int) -> None:
    """Ten times the load every other 12 s: in time that is no straight line, in frames it is one."""

    def frames(at_s: float) -> float:
        whole, rest = divmod(at_s, 24)
        return whole * 12 * 110 + 100 * min(rest, 12) + 10 * max(rest - 12, 0)

    run = Run(seed).follow(lambda at_s: frames(at_s) * 8 / 1024, 60, frames)

    assert run.accusations


def test_leak_of_a_process_without_frames_is_found_and_has_no_figure_by_frame() -> None:
    run = Run(frames_per_s=None).follow(leak(10), 60)

    assert run.accusations
    assert run.growth.bytes_per_frame is None


def test_leak_that_took_too_few_frames_has_no_figure_by_frame() -> None:
    run = Run(frames_per_s=0.2).follow(leak(10), 60)

    assert run.accusations
    assert run.growth.bytes_per_frame is None


@pytest.mark.parametrize(("mib_per_minute", "within_s"), [(1.0, 13 * 60), (0.2, 2.7 * 3600)])
def test_slow_leak_is_found_by_a_longer_window(mib_per_minute: float, within_s: float) -> None:
    run = Run(noise_mib=0.2).follow(leak(mib_per_minute), within_s)

    assert len(run.accusations) == 1
    assert run.accusations[0] > 300
    assert run.growth.bytes_per_s * 60 == pytest.approx(mib_per_minute * MIB, rel=0.1)


# -------------------- the innocent --------------------


@given(st.floats(0.5, 500), st.floats(0.2, 22), SEEDS)
def test_growth_that_saturates_is_not_accused(amount_mib: float, time_constant_s: float, seed: int) -> None:
    assert Run(seed).follow(saturating(amount_mib, time_constant_s), 300).accusations == []


@given(st.floats(0.5, 500), st.floats(1, 25), st.floats(0, 60), SEEDS)
def test_cache_that_fills_evenly_to_its_bound_is_not_accused(
    amount_mib: float, takes_s: float, begins_s: float, seed: int
) -> None:
    def shape(at_s: float) -> float:
        return amount_mib * min(max((at_s - begins_s) / takes_s, 0), 1)

    assert Run(seed).follow(shape, 200).accusations == []


@given(st.floats(0.5, 1000), st.floats(0, 100), SEEDS)
def test_single_step_is_not_accused(amount_mib: float, when_s: float, seed: int) -> None:
    assert Run(seed).follow(step(amount_mib, when_s), 200).accusations == []


@given(st.lists(st.tuples(st.floats(0.5, 100), st.floats(0, 600)), max_size=12), SEEDS)
def test_ever_larger_pictures_now_and_then_are_not_accused(steps: list[tuple[float, float]], seed: int) -> None:
    shapes = [step(amount_mib, when_s) for amount_mib, when_s in steps]
    run = Run(seed).follow(together(*shapes), 600)

    # Six steps of like height at even times are what a leak looks like: chance may draw that, but not often.
    assert len(run.accusations) <= (len(steps) >= 5)


@given(st.floats(0.5, 200), st.floats(6, 28), SEEDS)
def test_saw_tooth_is_not_accused(amount_mib: float, period_s: float, seed: int) -> None:
    assert Run(seed).follow(saw_tooth(amount_mib, period_s), 300).accusations == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("period_s", [50, 90, 240])
def test_slow_saw_tooth_is_accused_by_its_first_tooth_at_most_and_then_acquitted(period_s: float, seed: int) -> None:
    run = Run(seed).follow(saw_tooth(20, period_s), 3600)

    assert all(at_s <= 2 * period_s for at_s in run.accusations)
    assert not run.judge.is_growing


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("noise_mib", [0.1, 2, 20])
def test_hours_of_mere_noise_is_never_accused(noise_mib: float, seed: int) -> None:
    assert Run(seed, noise_mib=noise_mib).follow(lambda _: 0, 8 * 3600).accusations == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("time_constant_s", [5, 60, 600])
def test_hours_of_slow_ups_and_downs_is_hardly_ever_accused(time_constant_s: float, seed: int) -> None:
    chance = random.Random(seed)
    level = 0.0
    keeps = math.exp(-INTERVAL_S / time_constant_s)

    def wander(_: float) -> float:
        nonlocal level
        level = level * keeps + chance.gauss(0, 5 * math.sqrt(1 - keeps**2))
        return 20 + level

    assert len(Run(seed).follow(wander, 8 * 3600).accusations) <= 1


def test_memory_that_shrinks_is_not_accused() -> None:
    run = Run().follow(lambda at_s: 25 - at_s / 10, 120)

    assert run.accusations == []
    assert run.growth.bytes_per_s < 0


# -------------------- going on, and taking back --------------------


def test_accusation_outlives_the_load() -> None:
    """An idle process proves nothing: what leaked is still gone."""
    run = Run().follow(leak(30), 60)
    done = 6000.0
    run.follow(lambda _: 30, 3600, lambda _: done)

    assert run.judge.is_growing
    assert run.growth.bytes_per_s * 60 == pytest.approx(30 * MIB, rel=0.2)


def test_leak_that_goes_on_stays_one_accusation_and_is_then_shown_by_the_longer_window() -> None:
    run = Run().follow(leak(30), 720)

    assert len(run.accusations) == 1
    assert run.growth.span_s == pytest.approx(WINDOWS[1].span_s, rel=0.02)
    assert run.growth.bytes_per_s * 60 == pytest.approx(30 * MIB, rel=0.02)


def test_accusation_is_taken_back_after_long_enough_at_work_without_growth() -> None:
    run = Run().follow(leak(30), 60).follow(lambda _: 30, 120)
    stood_after_120_s = run.judge.is_growing
    run.follow(lambda _: 30, 120)

    assert (stood_after_120_s, run.judge.is_growing) == (True, False)
    assert len(run.accusations) == 1


def test_accusation_is_taken_back_when_half_of_it_was_given_back() -> None:
    run = Run().follow(leak(30), 60).follow(lambda _: 20, 20)
    stood_with_two_thirds = run.judge.is_growing
    run.follow(lambda _: 10, 4)

    assert (stood_with_two_thirds, run.judge.is_growing) == (True, False)


# -------------------- the parts --------------------


@given(st.lists(st.floats(0.1, 100), min_size=3, max_size=20), SEEDS)
def test_fit_is_the_least_squares_line(steps: list[float], seed: int) -> None:
    chance = random.Random(seed)
    positions = np.cumsum(steps)
    heights = [chance.uniform(-1e9, 1e9) for _ in steps]
    slope, confidence = fit(positions.tolist(), heights)

    assert slope == pytest.approx(np.polyfit(positions, heights, 1)[0], rel=1e-6)
    assert confidence == pytest.approx(np.corrcoef(positions, heights)[0, 1] ** 2, abs=1e-9)


def test_fit_of_a_level_line_is_no_growth_and_no_confidence() -> None:
    assert fit([0, 1, 2], [5, 5, 5]) == (0, 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], 0), ([5], 0), ([1, 2, 3], 0), ([3, 1, 2], 2), ([1, 9, 4, 8, 2, 20, 19], 7)],
)
def test_given_back_is_the_deepest_fall_to_any_later_point(values: list[int], expected: int) -> None:
    assert given_back([Sample(float(at_s), value, None) for at_s, value in enumerate(values)]) == expected


def test_low_points_keep_the_lowest_of_each_part() -> None:
    low_points = LowPoints(Window(10, 0))
    closed = [low_points.add(Sample(at_s, held, None)) for at_s, held in [(0, 5), (4, 3), (9, 4), (10, 9), (25, 1)]]

    assert closed == [False, False, False, True, True]
    assert [point.bytes for point in low_points._points] == [3, 9]


def test_low_points_remember_no_more_than_they_may() -> None:
    low_points = LowPoints(Window(1, 0))
    for at_s in range(5 * REMEMBERED):
        low_points.add(Sample(at_s, at_s, at_s))

    assert len(low_points._points) == REMEMBERED
    assert low_points._points[-1].at_s == 5 * REMEMBERED - 2


@pytest.mark.parametrize(("fallen_mib", "expected"), [(8, True), (10, False)])
def test_growth_has_an_end_where_twice_as_much_was_not_yet_regained(fallen_mib: int, expected: bool) -> None:
    """The fall into the window counts as well as any before it."""
    low_points = LowPoints(Window(1, MIB))
    for at_s, held_mib in enumerate([fallen_mib, *range(0, 21, 3), 21]):
        low_points.add(Sample(at_s, held_mib * MIB, None))
    growth = low_points.growth()

    assert growth is not None
    assert growth.has_no_end is expected


def test_growth_is_not_shown_before_there_are_points_enough() -> None:
    judge = Judge()
    part_s = WINDOWS[0].part_s
    shown = []
    for index in range(POINTS + 1):
        shown.append(judge.growth)
        judge.add(Sample(index * part_s, BASE_BYTES, index))

    assert shown == [None] * (POINTS + 1)
    assert judge.growth is not None
    assert judge.growth.span_s == WINDOWS[0].span_s
