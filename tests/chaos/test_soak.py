"""The soak's judgement: it sees what grows, and is not misled by what does not."""

import pytest

from tests.chaos.soak import GROWTH_BYTES_MAX, SAMPLES, Sample, judge
from tests.chaos.trend import slope

FRAMES = 100_000
STEP = FRAMES // SAMPLES


def samples(bytes_per_frame: float, *, warm_bytes: int = 0, noise_bytes: int = 0, descriptors: int = 0) -> list[Sample]:
    """A worker that grows, after it has warmed up in the first tenth, beside a broker that does not."""
    made = []
    for number in range(1, SAMPLES + 1):
        frames = number * STEP
        warm = warm_bytes * min(1.0, frames / (FRAMES / 10))
        grown = int(50e6 + warm + frames * bytes_per_frame + noise_bytes * (-1) ** number)
        fds = 20 + (descriptors if number > SAMPLES // 2 else 0)
        made.append(Sample(frames, {"worker": grown, "broker": 30_000_000}, 0, {"worker": fds, "broker": 30}))
    return made


def test_slope_of_a_line_is_its_own() -> None:
    assert slope([0.0, 1.0, 3.0], [5.0, 7.0, 11.0]) == pytest.approx(2.0)
    assert slope([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 1.0, 0.0]) == pytest.approx(0.0)


@pytest.mark.parametrize(("positions", "figures"), [([], []), ([1.0], [1.0]), ([1.0, 1.0], [1.0, 2.0]), ([1.0], [])])
def test_what_is_no_line_has_no_slope(positions: list[float], figures: list[float]) -> None:
    with pytest.raises(ValueError, match="make no line"):
        slope(positions, figures)


def test_process_that_keeps_bytes_of_each_frame_is_seen_and_so_is_the_sum() -> None:
    worker, broker, everyone = judge(samples(120.0))

    assert worker.growth_bytes == pytest.approx(1_200_000, rel=0.001)
    assert (worker.is_good, broker.is_good, everyone.is_good) == (False, True, False)


def test_growth_below_the_limit_is_good() -> None:
    assert all(each.is_good for each in judge(samples(GROWTH_BYTES_MAX / 10_000 * 0.99)))


def test_warm_up_and_noise_are_no_growth() -> None:
    assert all(each.is_good for each in judge(samples(0.0, warm_bytes=200_000_000, noise_bytes=3_000_000)))


def test_descriptor_that_is_kept_is_seen() -> None:
    worker, broker, everyone = judge(samples(0.0, descriptors=1))

    assert (worker.is_good, broker.is_good, everyone.is_good) == (False, True, False)


def test_connection_that_comes_and_goes_is_no_descriptor_kept() -> None:
    made = samples(0.0)
    made[-1].descriptors["broker"] += 1
    made[20].descriptors["broker"] -= 1

    assert all(each.is_good for each in judge(made))
