"""Results as they are kept."""

from pathlib import Path

import pytest

from perf.contender import MeasurementFailed, Run
from perf.matrix import default_cells
from perf.results import Series, Turn, load, save, series_of
from tests.perf.made_up import results

KEPT_BYTES_MAX = 200_000


def test_results_that_were_saved_are_read_again(tmp_path: Path) -> None:
    save(results(), tmp_path / "new" / "some.json")

    assert load(tmp_path / "new" / "some.json") == results()
    assert len((tmp_path / "new" / "some.json").read_text().splitlines()) == len(results().series) + 2


def test_results_of_everything_are_small_enough_to_keep(tmp_path: Path) -> None:
    save(results(), tmp_path / "some.json")
    of_one = (tmp_path / "some.json").stat().st_size / len(results().series)

    assert of_one * 5 / 3 * 9 * len(default_cells()) < 3 * KEPT_BYTES_MAX  # if all nine were in all cells


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"machine":1}'])
def test_results_that_cannot_be_read_are_told_in_a_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "some.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(MeasurementFailed, match=r"some\.json: .+"):
        load(path)


def test_series_has_processor_time_of_all_frames_warm_ones_too() -> None:
    runs = [Run(10, 0.5, [1000 * n for n in range(1, 11)], 20, [900] * 10), Run(10, 1.0, [5000] * 10, 40, [])]
    turns = [
        Turn(runs[0], {"broker": 0.02, "decode": 0.2}, 0.004, 3 << 20),
        Turn(runs[1], {"decode": 0.4}, 0.008, 5 << 20),
    ]

    found = series_of(Series("daemon", "400", 32, 1, None), turns)

    assert found.frames_per_second == [20.0, 10.0]
    assert (found.p50_ms, found.p99_ms, found.inside_p50_ms) == ([5.0, 5.0], [10.0, 5.0], [0.9])
    assert found.processor_us == {"broker": [1000.0, 0.0], "decode": [10_000.0, 10_000.0]}
    assert found.frame_us == [11_000.0, 10_000.0]
    assert (found.producer_us, found.pss_mib) == ([200.0, 200.0], [3.0, 5.0])


def test_place_that_was_not_measured_is_not_found() -> None:
    assert results().find("untuned", "400-full", 32) is None
    assert results().find("daemon", "400", 32, 4) is not None
    assert results().busy("lent", "raw-1080p-full") is not None
