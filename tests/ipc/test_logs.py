"""Log lines as another program or a person reads them: always from a process of its own, for its standard error."""

import json
import os
import re
import subprocess
import sys
from datetime import datetime

import pytest

PROGRAM = """
import logging, sys
from ipc.logs import start_logging
start_logging("decode-0", json=sys.argv[1] == "json")
log = logging.getLogger("stage")
{lines}
"""


def logged(form: str, lines: str, **environment: str) -> list[str]:
    """Return the lines that a program logs."""
    ended = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM.format(lines=lines), form],
        env=os.environ | environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.stdout == ""
    return ended.stderr.splitlines()


def test_text_line_has_time_level_service_message_and_trace() -> None:
    (line,) = logged("text", "log.warning('late: %d', 3, extra={'trace': 'abc', 'frame_bytes': 7})")
    time, level, service, message = line.split(maxsplit=3)

    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}", time)
    assert (level, service, message) == ("WARNING", "decode-0", "late: 3 trace=abc frame_bytes=7")


def test_json_line_has_the_same_fields_by_name() -> None:
    (line,) = logged("json", "log.warning('late: %d', 3, extra={'trace': 'abc', 'frame_bytes': 7})")
    fields = json.loads(line)

    assert datetime.fromisoformat(fields.pop("timestamp")).utcoffset() is not None
    assert fields == {"level": "WARNING", "service": "decode-0", "message": "late: 3", "trace": "abc", "frame_bytes": 7}


@pytest.mark.parametrize("form", ["text", "json"])
def test_foreign_words_can_neither_forge_a_line_nor_steer_a_terminal(form: str) -> None:
    (line,) = logged(form, r"log.warning('%s', 'a\nb\x1b[2J\x9b\u2028\u202e', extra={'trace': 'x\ny'})")

    assert line.isprintable()


@pytest.mark.parametrize("form", ["text", "json"])
def test_error_is_logged_with_its_traceback(form: str) -> None:
    lines = logged(form, "try: int('x\\ny')\nexcept ValueError: log.exception('failed')")

    assert "failed" in lines[0]
    assert "Traceback" in "".join(lines)
    assert all(line.startswith("  | ") for line in lines[1:])


def test_text_in_the_journal_has_no_time_of_its_own() -> None:
    """systemd names the stream by device and inode, and only that stream counts."""
    reading, writing = os.pipe()
    status = os.fstat(writing)
    program = PROGRAM.format(lines="log.info('hello')")
    environment = os.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    with os.fdopen(reading, "rb") as journal:
        subprocess.run(
            [sys.executable, "-P", "-c", program, "text"], env=environment, check=True, stderr=writing, timeout=30
        )
        os.close(writing)

        assert journal.read() == b"<6>INFO    decode-0 hello\n"


def test_text_elsewhere_has_a_time_also_under_systemd() -> None:
    (line,) = logged("text", "log.info('hello')", JOURNAL_STREAM="1:2")

    assert line.split()[1:] == ["INFO", "decode-0", "hello"]


def test_log_without_a_reader_is_no_fault() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-P", "-c", PROGRAM.format(lines="log.info('hello'); sys.exit(7)"), "text"],
            stderr=writing,
            check=False,
            timeout=30,
        )
    finally:
        os.close(writing)

    assert ended.returncode == 7


def test_json_is_loaded_only_where_it_is_written() -> None:
    (line,) = logged("text", "log.info('%s', 'pythonjsonlogger' in sys.modules)")

    assert line.endswith(" False")


def journalled(form: str, lines: str) -> list[str]:
    """Return what a program writes whose standard error is the journal's stream."""
    reading, writing = os.pipe()
    status = os.fstat(writing)
    environment = os.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    with os.fdopen(reading) as journal:
        subprocess.run(
            [sys.executable, "-P", "-c", PROGRAM.format(lines=lines), form],
            env=environment,
            check=True,
            stderr=writing,
            timeout=30,
        )
        os.close(writing)
        return journal.read().splitlines()


@pytest.mark.parametrize("form", ["text", "json"])
def test_line_in_the_journal_has_the_priority_of_its_level(form: str) -> None:
    levels = ["critical", "error", "warning", "info"]
    lines = journalled(form, "\n".join(f"log.{level}('hello')" for level in levels) + "\nlog.log(35, 'hello')")

    assert [line[:3] for line in lines] == ["<2>", "<3>", "<4>", "<6>", "<4>"]
    assert all("hello" in line for line in lines)


def test_each_line_of_a_traceback_in_the_journal_has_the_priority_of_its_first() -> None:
    lines = journalled("text", "try: int('x')\nexcept ValueError: log.exception('failed')")

    assert len(lines) > 3
    assert lines[0] == "<3>ERROR   decode-0 failed"
    assert all(line.startswith("<3>  | ") for line in lines[1:])


def test_line_outside_of_the_journal_has_no_priority() -> None:
    (line,) = logged("text", "log.error('hello')", JOURNAL_STREAM="")

    assert "<" not in line


@pytest.mark.parametrize(
    ("form", "in_journal", "is_json"),
    [
        ("auto", False, True),
        ("auto", True, False),
        ("text", False, False),
        ("json", True, True),
    ],
)
def test_form_of_the_log_follows_its_reader_unless_it_is_said(form: str, in_journal: bool, is_json: bool) -> None:
    program = f"from ipc.logs import wants_json; log.info('%s', wants_json({form!r}))"
    (line,) = (journalled if in_journal else logged)("text", program)

    assert line.endswith(str(is_json))


def test_form_on_a_terminal_is_text() -> None:
    ours, theirs = os.openpty()
    with os.fdopen(ours) as terminal:
        program = PROGRAM.format(lines="from ipc.logs import wants_json; log.info('%s', wants_json('auto'))")
        subprocess.run([sys.executable, "-P", "-c", program, "text"], check=True, stderr=theirs, timeout=30)
        os.close(theirs)

        assert terminal.readline().endswith("False\n")


def test_error_before_logging_starts_has_a_priority_in_the_journal_only() -> None:
    said = "from ipc.journal import *; print(for_standard_error('a\\nb', Priority.ERROR), file=sys.stderr)"

    assert journalled("text", said) == ["<3>a", "<3>b"]
    assert logged("text", said) == ["a", "b"]
