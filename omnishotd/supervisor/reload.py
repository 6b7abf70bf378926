"""Reload: the configuration is read again when SIGHUP asks for it, and what can be changed in place is changed.

A configuration with anything wrong in it is refused as a whole: the one that is in force stays.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from ipc.settings import Settings
from omnishotd.supervisor.changes import Changes, compare
from omnishotd.supervisor.reader import Reader, Refusal

LOOK_INTERVAL_MS: Final = 20
"""How often the reader is looked after. It reads for a quarter of a second, and hardly ever."""

log = logging.getLogger(__name__)


class Reload:
    """At most one reading at a time: who asks meanwhile gets one more after it, however often they ask.

    `began` and `ended` are called for each reading. `ended` is given what follows from it, or None where it was
    refused, and a note for the status.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        settings: Settings,
        began: Callable[[], None],
        ended: Callable[[Changes | None, str], None],
    ) -> None:
        self._arguments = arguments
        self._settings = settings
        self._began = began
        self._ended = ended
        self._reader: Reader | None = None
        self._is_wanted_again = False

    def begin(self) -> None:
        """Read the configuration again."""
        if self._reader is not None:
            self._is_wanted_again = True
            return
        self._began()
        try:
            self._reader = Reader(self._arguments)
        except OSError as error:
            self._refuse([f"the configuration cannot be read: {error.strerror}"])

    def offer(self, now_s: float) -> None:
        """Take what has been read; to be called in every turn of the loop."""
        if self._reader is None:
            return
        outcome = self._reader.outcome(now_s)
        if outcome is None:
            return
        self._reader = None
        if isinstance(outcome, Refusal):
            self._refuse(outcome.lines)
        else:
            self._take(outcome)
        if self._is_wanted_again:
            self._is_wanted_again = False
            self.begin()

    def forget(self) -> None:
        """Begin no further reading: the daemon ends."""
        self._is_wanted_again = False

    def due_in_ms(self) -> int | None:
        """How long the loop may sleep; None: as long as it likes."""
        return LOOK_INTERVAL_MS if self._reader is not None else None

    def close(self) -> None:
        """Read no more."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _take(self, read: Settings) -> None:
        changes = compare(self._settings, read)
        self._settings = changes.settings
        log.info("configuration read again; changed: %s", ", ".join(changes.applied) or "nothing")
        if changes.waiting:
            log.warning("these have changed and need a restart: %s", ", ".join(changes.waiting))
        self._ended(changes, f"a restart is needed for {', '.join(changes.waiting)}" if changes.waiting else "")

    def _refuse(self, lines: list[str]) -> None:
        for line in lines:
            log.error("configuration refused, the old one stays: %s", line)
        more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
        self._ended(None, f"new configuration refused: {lines[0]}{more}")
