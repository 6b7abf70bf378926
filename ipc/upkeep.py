"""Upkeep: memory that was needed for large pictures goes back to the kernel when they are done.

malloc is told to keep what it gets back, because frames that follow each other would fault it in again (see
`supervisor.children`). What it keeps after a burst is of no use to anybody, so it is told to let go: when the process
has been idle for a moment, and now and then between frames where it is never idle.
"""

from collections.abc import Callable
from typing import Final, Protocol

from ipc import heap
from ipc.resident import Resident, resident

IDLE_S: Final = 1.0
"""Without work for so long, it is a pause."""
BUSY_INTERVAL_S: Final = 10.0
"""Without any pause, memory is looked at this often: faulting in 64 MiB again takes 15 ms."""
SLACK_BYTES: Final = 8 << 20
"""Private memory beyond what it was after the last trim that may stay."""


class Shared(Protocol):
    """Memory that is shared with other processes."""

    def forget_pages(self) -> None:
        """Let this process's view of its pages go, not their content."""


class Upkeep:
    """Of one process. Pure but for what it is given to look and to trim with."""

    def __init__(
        self,
        arena: Shared | None = None,
        look: Callable[[], Resident] = resident,
        trim: Callable[[], None] = heap.trim,
    ) -> None:
        self._shared: list[Shared] = [] if arena is None else [arena]
        self._look = look
        self._trim = trim
        self._worked_at_s: float | None = None
        """When it last did; None if it has not since it was last looked after in a pause."""
        self._busy_due_at_s: float | None = None
        self.at_rest_bytes = look().private_bytes
        """Private memory after the last trim: what the process holds on to. Up to `SLACK_BYTES` behind the truth."""
        self.trims = 0

    def look_after(self, shared: Shared) -> None:
        """Look after further memory that is shared."""
        self._shared.append(shared)

    def worked(self, now_s: float) -> None:
        """Note that something was done for a producer. A canary needs no memory worth speaking of."""
        if self._worked_at_s is None:
            self._busy_due_at_s = now_s + BUSY_INTERVAL_S
        self._worked_at_s = now_s

    def pass_time(self, now_s: float) -> None:
        """Look after memory if it is time to. To be called at every turn of the process's loop, between frames."""
        if self._worked_at_s is None or self._busy_due_at_s is None:
            return
        if now_s - self._worked_at_s >= IDLE_S:
            self._worked_at_s = None
            # ORDER: some of these pages are this process's own, and what it holds on to is reckoned without them.
            for shared in self._shared:
                shared.forget_pages()
            self._shrink()
        elif now_s >= self._busy_due_at_s:
            self._busy_due_at_s = now_s + BUSY_INTERVAL_S
            self._shrink()

    def _shrink(self) -> None:
        private_bytes = self._look().private_bytes
        if private_bytes > self.at_rest_bytes + SLACK_BYTES:
            self._trim()
            self.trims += 1
            self.at_rest_bytes = self._look().private_bytes
        else:
            self.at_rest_bytes = min(self.at_rest_bytes, private_bytes)
