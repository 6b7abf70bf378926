"""A short run on every change: the ledger is clean, whatever the machine's speed. `make chaos` makes longer ones."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from tests.chaos.orphans import kill_supervisors
from tests.chaos.plan import Harm
from tests.chaos.report import save, show
from tests.chaos.run import run

SEED = 10
"""Its first 12 seconds hold deaths of all three kinds, and a broker and workers that are stopped for good."""
SECONDS = 12.0


@pytest.mark.timeout(120)
def test_struck_daemon_answers_every_frame_once_with_its_own_picture_and_leaves_nothing(tmp_path: Path) -> None:
    outcome = run(SEED, SECONDS, lambda *_: None)
    with (tmp_path / "report.txt").open("w") as file:
        show(Console(file=file), outcome)
    report = (tmp_path / "report.txt").read_text()
    save(tmp_path / "report.json", [outcome])
    [figures] = json.loads((tmp_path / "report.json").read_text())

    assert outcome.is_clean, report + "".join(outcome.log)
    assert outcome.tally.submitted > 100
    assert outcome.tally.asked_again > 0, "some are sent twice on purpose"
    struck = [blow.strike for blow in outcome.blows if blow.pid is not None and blow.strike.harm is not Harm.PAUSE]
    assert len(struck) >= 5
    assert report.endswith(f"seed {SEED}: clean\n")
    assert "\x1b" not in report, "colour is for terminals"
    assert figures["ledger"]["submitted"] == outcome.tally.submitted


@pytest.mark.timeout(60)
def test_supervisor_killed_under_load_leaves_nothing_and_starts_again(tmp_path: Path) -> None:
    with (tmp_path / "report.txt").open("w") as file:
        rounds = kill_supervisors(Console(file=file), 2)

    assert [(each.left, each.wrong) for each in rounds] == [((), 0)] * 2
