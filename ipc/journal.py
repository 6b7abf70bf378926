"""Journal: whether standard error goes to systemd's journal, and how a line says there how grave it is.

The journal takes the priority from `<N>` at the beginning of a line, and strips it (sd-daemon(3)); N is syslog's.
"""

import os
import sys
from enum import IntEnum


class Priority(IntEnum):
    """How grave a line is: syslog's numbers, as far as we use them."""

    CRITICAL = 2
    ERROR = 3
    WARNING = 4
    INFO = 6
    DEBUG = 7


def is_journal() -> bool:
    """Tell whether standard error goes to the journal, which stamps each line itself (systemd.exec(5))."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    if not inode:
        return False
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def prioritised(text: str, priority: Priority) -> str:
    """Give each line of a text its priority: the journal takes each line for a message of its own."""
    return "\n".join(f"<{priority.value}>{line}" for line in text.split("\n"))


def for_standard_error(text: str, priority: Priority) -> str:
    """Prepare what is not logged, as it comes before logging does, for whoever reads standard error."""
    return prioritised(text, priority) if is_journal() else text
