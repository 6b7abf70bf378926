"""The check against the kept result: what it says, and how it ends."""

import sys
from pathlib import Path

import msgspec
import pytest

from perf.check import main
from perf.results import Results, load, save
from tests.perf.made_up import results


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("perf.check.FOLDER", tmp_path)
    monkeypatch.setattr("perf.check.KEPT", tmp_path / "kept.json")
    monkeypatch.setattr(sys, "argv", ["check"])
    return tmp_path


def measured(monkeypatch: pytest.MonkeyPatch, found: Results) -> None:
    monkeypatch.setattr("perf.check.measure", lambda *_: found)


def daemon_at(share: float) -> Results:
    series = [
        msgspec.structs.replace(one, frames_per_second=[rate * share for rate in one.frames_per_second])
        if (one.contender, one.work, one.in_flight) == ("daemon", "1600", 32)
        else one
        for one in results().series
    ]
    return msgspec.structs.replace(results(), series=series)


def test_check_of_what_is_as_fast_as_before_ends_with_0(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(results(), folder / "kept.json")
    measured(monkeypatch, results())

    assert main() == 0
    told = capsys.readouterr().out
    assert "ratios got worse beyond its noise" in told
    assert "not the machine" not in told
    assert load(folder / "check.json") == results()


def test_check_of_what_got_slower_names_it_and_ends_with_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(results(), folder / "kept.json")
    measured(monkeypatch, daemon_at(0.7))

    assert main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("worse: daemon, 1600: frames a second / ideal")
    assert ";" not in lines[-1]  # four producers over one are the better for it
    assert any(line.endswith("worse") and "0.90 (0.90..0.90)" in line for line in lines)


def test_check_on_another_machine_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = msgspec.structs.replace(results().machine, cores=64)
    save(msgspec.structs.replace(results(), machine=other), folder / "kept.json")
    measured(monkeypatch, results())

    assert main() == 0
    assert "not the machine of the kept result, whose ratios may be others: cores: 64, now 2" in capsys.readouterr().out


def test_check_without_a_kept_result_ends_with_1_in_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 1
    assert capsys.readouterr().err == f"could not check: {folder}/kept.json: No such file or directory\n"


def test_check_with_nothing_to_compare_ends_with_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(msgspec.structs.replace(results(), series=[], alone={}), folder / "kept.json")
    measured(monkeypatch, results())

    assert main() == 1
    assert "nothing to compare" in capsys.readouterr().out
