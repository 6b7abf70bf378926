"""Each safeguard of the broker is guarded: without it, tests fail, and for that reason.

The tests run in a process of their own, which loads a module with the safeguard taken out (`tests.safeguards`).
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import pytest

from tests.safeguards.removal import remove

BROKER: Final = "tests/omnishotd/broker/"


@dataclass(frozen=True)
class Guard:
    """A test that must miss a safeguard, and what it must say then."""

    test: str
    reason: str

    @property
    def name(self) -> str:
        return self.test.rpartition("::")[2]


GUARDS: Final = {
    "lease_check": [
        Guard(
            BROKER + "test_ledger.py::test_answer_under_a_lease_that_was_used_already_is_counted_and_ignored",
            "stale_answers",
        ),
        Guard(
            BROKER + "test_ledger.py::test_answer_of_another_worker_under_a_current_lease_is_counted_and_ignored",
            "stale_answers",
        ),
        Guard(
            BROKER + "test_ledger.py::test_answer_of_the_dead_after_its_frame_went_to_another_is_ignored",
            "stale_answers",
        ),
    ],
    "proof_of_death": [
        Guard(
            BROKER + "test_ledger.py::test_extents_of_a_frame_that_was_given_up_stay_until_its_holder_is_proved_dead",
            "assert 0 == ",
        ),
    ],
    "duplicate_window": [
        Guard(
            BROKER + "test_delivery.py::test_same_request_after_its_reply_gets_the_same_reply_without_being_executed",
            "not enough values to unpack",
        ),
        Guard(
            BROKER + "test_delivery.py::test_frame_that_failed_for_good_keeps_its_id",
            "assert ['BAD_IMAGE'] == ['BAD_IMAGE', 'BAD_IMAGE']",
        ),
        Guard(BROKER + "test_duplicates.py::test_answered_request_gives_its_reply", "assert None is Reply("),
    ],
    "quarantine": [
        Guard(
            BROKER + "test_deaths.py::test_poison_is_refused_under_another_name_for_a_while_and_then_tried_again",
            "assert [] == ['POISON']",
        ),
        Guard(BROKER + "test_quarantine.py::test_payload_is_held_until_its_time_is_over", "holds"),
    ],
}


def failures(report: Path, *arguments: str) -> dict[str, str]:
    """Run tests in a process of their own. Returns those that failed, and what they said."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *arguments],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode in {0, 1}, ended.stdout + ended.stderr
    cases = ElementTree.parse(report).iter("testcase")  # noqa: S314 - written by our own pytest
    return {
        str(case.get("name")): str(failure.get("message"))
        for case in cases
        if (failure := case.find("failure")) is not None
    }


def test_guards_find_no_fault_while_every_safeguard_is_there(tmp_path: Path) -> None:
    tests = [guard.test for guards in GUARDS.values() for guard in guards]

    assert failures(tmp_path / "report.xml", *tests) == {}


@pytest.mark.parametrize("safeguard", GUARDS)
def test_guards_fail_without_their_safeguard_and_for_that_reason(safeguard: str, tmp_path: Path) -> None:
    guards = GUARDS[safeguard]
    plugin = ["-p", f"tests.safeguards.{safeguard}"]

    told = failures(tmp_path / "report.xml", *plugin, *(guard.test for guard in guards))

    assert told.keys() == {guard.name for guard in guards}
    assert [guard.name for guard in guards if guard.reason not in told[guard.name]] == []


def test_removal_of_what_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "omnishotd.broker.quarantine", raising=False)
    with pytest.raises(RuntimeError, match="holds 0 times"):
        remove("omnishotd.broker.quarantine", safeguard="no such line", instead="")
