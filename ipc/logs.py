"""Log lines on standard error: text for people, JSON for programs.

Each line about a frame carries its trace: `log.warning("...", extra={"trace": trace})`. Whatever else is given in
`extra` follows in both forms. Control characters are escaped, so that no picture's bytes and no producer's words can
forge a line or drive a terminal.
"""

import logging
import os
import sys
from typing import Final

from ipc.printable import printable

_OF_EVERY_RECORD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def start_logging(service: str, json: bool) -> None:
    """Send all log lines of this process to standard error, each with the name of its service."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json_form(service) if json else _TextForm(service, stamped=not _is_journal()))
    root = logging.getLogger()
    for present in root.handlers[:]:
        root.removeHandler(present)
        present.close()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)


class _TextForm(logging.Formatter):
    """`time level service message key=value...`; the lines of a traceback follow, each behind a bar."""

    def __init__(self, service: str, stamped: bool) -> None:
        super().__init__()
        self._service = service
        self._stamped = stamped

    def format(self, record: logging.LogRecord) -> str:
        words = [f"{record.levelname:<7}", self._service, printable(record.getMessage())]
        if self._stamped:
            words.insert(0, f"{self.formatTime(record, '%H:%M:%S')}.{int(record.msecs):03}")
        extra = {key: value for key, value in vars(record).items() if key not in _OF_EVERY_RECORD}
        words += [f"{key}={printable(str(value))}" for key, value in extra.items()]
        lines = [" ".join(words)]
        if record.exc_info:
            lines += [f"  | {printable(line)}" for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(lines)


def _json_form(service: str) -> logging.Formatter:
    # Imported here: 14 ms and 2.6 MB that a process which logs text does without.
    from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415

    return JsonFormatter(
        ["levelname", "message"],
        rename_fields={"levelname": "level"},
        static_fields={"service": service},
        timestamp=True,
    )


def _is_journal() -> bool:
    """Tell whether standard error goes to systemd's journal, which stamps each line itself (systemd.exec(5))."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))
