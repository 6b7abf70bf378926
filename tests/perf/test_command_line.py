"""The benchmark's command: what it refuses, and that it runs from end to end."""

import sys
from pathlib import Path

import pytest

from perf.__main__ import main
from perf.contender import MeasurementFailed
from perf.matrix import DAEMON, IDEAL, Cell
from perf.results import load
from perf.roster import OURS, STAGED, chosen
from perf.work import WORKS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("perf.__main__.FOLDER", tmp_path)
    return tmp_path


def test_roster_has_everybody_once_and_only_those_that_are_wanted() -> None:
    usual = [entrant.name for entrant in chosen([], [])]

    assert usual[: len(OURS)] == ["ideal", "untuned", "daemon", "lent"]
    assert len(set(usual)) == len(usual)
    assert STAGED not in usual
    assert [entrant.name for entrant in chosen([STAGED, IDEAL], [])] == [STAGED, IDEAL]
    assert [entrant.name for entrant in chosen([], ["ideal"])] == usual[1:]
    with pytest.raises(MeasurementFailed, match="no contender 'nobody': there are ideal, untuned, daemon, lent, "):
        chosen(["nobody"], [])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--rounds", "0"], "argument --rounds: 0 is not within 1..100"),
        (["--minutes", "0"], "argument --minutes: 0 is not within 0.1..600"),
        (["--seconds-each", "x"], "argument --seconds-each: invalid float value: 'x'"),
        (["--save", "../x"], "argument --save: letters, digits"),
    ],
)
def test_argument_that_cannot_be_is_refused_in_a_line(
    arguments: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["perf", *arguments])

    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_benchmark_measures_saves_and_draws(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = WORKS["400"]
    cells = [
        Cell(small, 32, (IDEAL, DAEMON)),
        Cell(WORKS["raw-1080p"], 16, (IDEAL, DAEMON)),
        Cell(small, 8, (DAEMON,), producers=4),
        Cell(small, 32, (DAEMON,), saturation_share=0.3),
    ]
    monkeypatch.setattr("perf.__main__.quick_cells", lambda: cells)
    command = ["perf", "--quick", "--only", "ideal", "daemon", "--rounds", "1", "--seconds-each", "0.3", "--save", "x"]
    monkeypatch.setattr(sys, "argv", command)

    assert main() == 0

    found = load(folder / "x.json")
    assert not found.missing
    assert [(one.contender, one.work, one.refusal) for one in found.series] == [
        ("ideal", "400", ""), ("daemon", "400", ""), ("ideal", "raw-1080p", ""), ("daemon", "raw-1080p", ""),
        ("daemon", "400", ""), ("daemon", "400", ""),
    ]  # fmt: skip
    assert all(one.frames and one.pss_mib[0] > 10 for one in found.series)
    assert {"broker", "decode", "control", "supervisor"} <= found.series[1].processor_us.keys()
    # The kernel counts hundredths of a second: a light producer may have none in a turn.
    assert sum(one.producer_us[0] for one in found.series if one.contender == "daemon") > 0
    assert found.samples["daemon"][0].rmse == 0
    assert (folder / "x.png").stat().st_size > 10_000
    assert "frames a second, 32 in flight" in capsys.readouterr().out


def test_contender_that_does_not_exist_ends_with_1_in_a_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["perf", "--only", "nobody"])

    assert main() == 1
    assert capsys.readouterr().err.startswith("could not measure: no contender 'nobody': there are ideal, ")
    assert not list(folder.iterdir())
