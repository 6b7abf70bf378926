"""Who is measured at what."""

from itertools import pairwise

from perf.matrix import DAEMON, IDEAL, Cell, check_cells, default_cells, quick_cells, turns, works_of
from perf.work import WORKS

NAMES = ["ideal", "daemon", "sharp"]


def test_another_one_is_first_each_round() -> None:
    cells = [Cell(WORKS["400"], 32), Cell(WORKS["800"], 32)]

    order = [[name for cell, name in turns(cells, NAMES, number) if cell is cells[1]] for number in range(4)]

    assert order == [NAMES, ["daemon", "sharp", "ideal"], ["sharp", "ideal", "daemon"], NAMES]


def test_only_those_take_turns_who_are_asked() -> None:
    cell = Cell(WORKS["400"], 1, (DAEMON,))

    assert list(turns([cell], NAMES, 1)) == [(cell, DAEMON)]


def test_every_work_is_in_the_default_matrix_and_each_place_once() -> None:
    cells = default_cells()

    assert set(works_of(cells)) == set(WORKS.values())
    assert len(set(cells)) == len(cells)
    assert {cell.in_flight for cell in cells} >= {1, 8, 32}
    assert {cell.producers for cell in cells} == {1, 4}


def test_what_is_sent_by_the_clock_was_saturated_before_in_the_same_round() -> None:
    for cells in (default_cells(), quick_cells(), check_cells()):
        order = list(turns(cells, NAMES, 0))
        for number, (cell, name) in enumerate(order):
            if cell.saturation_share is not None:
                assert any(one.is_plain and one.work == cell.work and who == name for one, who in order[:number])


def test_check_has_an_ideal_beside_whatever_is_held_against_it() -> None:
    for cell in check_cells():
        if cell.saturation_share is None and cell.producers == 1:
            assert cell.has(IDEAL)


def test_larger_frames_have_longer_turns() -> None:
    seconds = [Cell(WORKS[name], 32).seconds(1.0) for name in ("400", "1600", "3200", "3200-full")]

    assert all(shorter <= longer for shorter, longer in pairwise(seconds))
