"""Which frames count."""

import pytest

from perf.contender import Run, together
from perf.messages import Window
from perf.tally import Tally

MS = 1_000_000


def test_tally_before_the_window_is_known_counts_nothing_and_forgets_nobody() -> None:
    tally = Tally()
    for number in range(5):
        assert not tally.note(number * MS, (number + 1) * MS)

    assert tally.run([]) == Run(0, 0.0, [], 5, [])


def test_tally_counts_from_the_end_of_the_first_frame_in_the_window_to_that_of_the_last() -> None:
    tally = Tally()
    tally.open(Window(10 * MS, 50 * MS))
    counted = [tally.note((end - 7) * MS, end * MS) for end in (9, 13, 20, 27, 34, 41, 48, 55)]

    assert counted == [False, False, True, True, True, True, True, False]
    run = tally.run([1, 2, 3, 4, 5])
    assert run == Run(5, 0.035, [7000] * 5, 8, [1, 2, 3, 4, 5])
    assert run.frames_per_second == pytest.approx(1000 / 7)


def test_runs_side_by_side_add_up_their_rates_each_over_its_own_time() -> None:
    run = together([Run(100, 1.0, [1], 110), Run(30, 0.5, [2, 3], 35)])

    assert run.frames_per_second == pytest.approx(160.0)
    assert (run.frames, run.latency_us, run.frames_in_all) == (130, [1, 2, 3], 145)


def test_runs_side_by_side_without_a_frame_have_no_rate() -> None:
    assert together([Run(0, 0.0, [], 3), Run(0, 0.0, [], 4)]).frames_per_second == 0.0
