"""When a worker is worn."""

import itertools

import msgspec
import pytest

from stages.wear import Wear, spread
from tests.control.support import make_settings

MIB = 1 << 20


def wear(incarnation: int = 5, **limits: int) -> Wear:
    return Wear(msgspec.structs.replace(make_settings().memory, **limits), incarnation)


def test_worker_without_limits_is_never_worn() -> None:
    assert wear().reason(1 << 50, 1 << 50) == ""


def test_worker_is_worn_after_its_frames() -> None:
    limit = spread(1000, 5)
    judged = wear(recycle_after_frames=1000)

    assert judged.reason(limit - 1, 0) == ""
    assert judged.reason(limit, 0) == f"worked on {limit} frames (memory.recycle_after_frames)"


def test_worker_is_worn_above_its_memory() -> None:
    judged = wear(recycle_above_mb=100)

    assert judged.reason(0, 100 * MIB) == ""
    assert judged.reason(0, 101 * MIB) == "holds 101 MiB at rest, more than 100 MiB (memory.recycle_above_mb)"


def test_frames_are_a_tenth_more_or_less() -> None:
    limits = [spread(1000, incarnation) for incarnation in range(1, 200)]

    assert 900 <= min(limits) < 905
    assert 1095 < max(limits) <= 1100


@pytest.mark.parametrize("first", [1, 7, 1000])
def test_workers_that_began_together_are_not_replaced_together(first: int) -> None:
    limits = sorted(spread(1000, incarnation) for incarnation in range(first, first + 4))

    assert min(later - earlier for earlier, later in itertools.pairwise(limits)) > 20
