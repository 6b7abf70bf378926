"""Turns: tests with real daemons run one after another in one process, all others beside them, file by file.

Two daemons at a time, on two cores, would be as slow as a machine that nobody measures on. pytest-xdist has groups for
this, by marks that pytest 9.2 does not pass on.
"""

from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it has annotations, but no py.typed

DAEMONS_FOLDERS: Final = ("tests/system/", "tests/systemd/", "tests/chaos/", "tests/control/")


class DaemonsInTurn(LoadScopeScheduling):  # type: ignore[misc]  # of the same library
    """Gives out files, and all files of daemons at once."""

    def _split_scope(self, nodeid: str) -> str:
        return "daemons" if nodeid.startswith(DAEMONS_FOLDERS) else nodeid.partition("::")[0]


def scheduler_of(config: pytest.Config, log: Any) -> DaemonsInTurn:
    """Make it for a run."""
    return DaemonsInTurn(config, log)
