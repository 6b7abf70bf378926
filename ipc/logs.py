"""Log lines on standard error: text for people, JSON for programs.

Each line about a frame carries its trace: `log.warning("...", extra={"trace": trace})`. Whatever else is given in
`extra` follows in both forms. Control characters are escaped, so that no picture's bytes and no producer's words can
forge a line or drive a terminal. In systemd's journal each line has its priority in front, and no time of its own.
"""

import logging
import sys
from typing import Final

from ipc.journal import Priority, is_journal, prioritised
from ipc.printable import printable

_OF_EVERY_RECORD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def wants_json(log_format: str) -> bool:
    """Resolve `auto`: text where people read, on a terminal and in the journal, else JSON."""
    if log_format == "auto":
        return not sys.stderr.isatty() and not is_journal()
    return log_format == "json"


def start_logging(service: str, json: bool) -> None:
    """Send all log lines of this process to standard error, each with the name of its service."""
    in_journal = is_journal()
    form = _json_form(service) if json else _TextForm(service, stamped=not in_journal)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JournalForm(form) if in_journal else form)
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


class _JournalForm(logging.Formatter):
    """Any form, each line with its priority in front."""

    def __init__(self, form: logging.Formatter) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        return prioritised(self._form.format(record), _priority(record.levelno))


def _priority(level: int) -> Priority:
    """Return the priority of one of logging's levels."""
    steps = {logging.CRITICAL: Priority.CRITICAL, logging.ERROR: Priority.ERROR, logging.WARNING: Priority.WARNING}
    reached = next((priority for step, priority in steps.items() if level >= step), None)
    return reached or (Priority.INFO if level >= logging.INFO else Priority.DEBUG)


def _json_form(service: str) -> logging.Formatter:
    # Imported here: 14 ms and 2.6 MB that a process which logs text does without.
    from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415

    return JsonFormatter(
        ["levelname", "message"],
        rename_fields={"levelname": "level"},
        static_fields={"service": service},
        timestamp=True,
    )
