"""How any command ends: statuses, and lines on stderr instead of tracebacks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from omnishotd import __version__
from omnishotd.cli import main

COMMANDS = ("serve", "process", "demo", "health", "top", "keys", "config")


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (["serve", "--bogus"], 64, "omnishotd: No such option '--bogus'."),
        (
            ["serve", "--set", "nonsense"],
            64,
            "omnishotd: Invalid value for '--set': 'nonsense' is not section.key=value;",
        ),
        (["process"], 2, "omnishotd: Missing argument 'IN...'; see omnishotd process --help"),
        (["nonsense"], 2, "omnishotd: No such command 'nonsense'; see omnishotd --help"),
        (["serve", "--config", "/none.toml"], 78, "omnishotd: /none.toml: cannot be read: No such file or directory"),
        (["config", "check", "--set", "control.port=x"], 78, "omnishotd: control.port: must be a whole number, is 'x'"),
    ],
)
def test_mistake_ends_in_a_status_and_one_line(arguments: list[str], status: int, line: str) -> None:
    ended = CliRunner().invoke(main, arguments)

    assert ended.exit_code == status
    assert ended.stdout == ""
    assert ended.stderr.startswith(line)
    assert ended.stderr.count("\n") == 1


def test_version_is_shown_by_module_and_command_alike() -> None:
    by_module = subprocess.run(
        [sys.executable, "-P", "-m", "omnishotd", "--version"], check=True, capture_output=True, text=True, timeout=30
    )

    assert by_module.stdout == CliRunner().invoke(main, ["--version"]).stdout == f"omnishotd {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_is_short_and_exits_with_success(command: str) -> None:
    ended = CliRunner().invoke(main, [command, "--help"])

    assert ended.exit_code == 0
    assert ended.stdout.startswith(f"Usage: omnishotd {command}")
    assert "Example" in ended.stdout or command == "config"


def test_program_without_arguments_shows_its_commands() -> None:
    ended = CliRunner().invoke(main, [])

    assert ended.exit_code == 2
    assert all(command in ended.stderr for command in COMMANDS)


def test_reader_that_goes_away_leaves_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "omnishotd", "config", "schema"],
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
            timeout=30,
        )
    finally:
        os.close(writing)

    assert (ended.returncode, ended.stderr) == (1, b"")


@pytest.mark.parametrize("arguments", [["config", "show"], ["--version"], ["process", "--help"]])
def test_full_output_ends_in_status_74_and_one_line(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "omnishotd", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=30,
        )

    assert (ended.returncode, ended.stderr) == (74, b"omnishotd: standard output: No space left on device\n")


@pytest.mark.parametrize("command", [["serve"], ["config", "check"]])
def test_relative_runtime_directory_ends_in_status_78_beside_all_other_problems(
    monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "relrt:/run/b")

    ended = CliRunner().invoke(main, [*command, "--config", os.devnull, "--set", "control.host=example.org"])

    assert ended.exit_code == 78
    assert ended.stderr.splitlines() == [
        "omnishotd: RUNTIME_DIRECTORY: 'relrt' is not an absolute path",
        "omnishotd: control.host: 'example.org' is no address, as 127.0.0.1 or ::1, and not localhost (command line)",
    ]
