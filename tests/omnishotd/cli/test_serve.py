"""`omnishotd serve` up to the point where it becomes the supervisor."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from ipc.settings import Settings
from omnishotd.cli import main
from omnishotd.supervisor.signals import HANDLED


class Replaced(Exception):
    """Stands for the exec, which would replace the tests themselves."""

    def __init__(self, arguments: list[str]) -> None:
        super().__init__(arguments)
        self.arguments = arguments


def replaced(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[list[str], Settings]:
    """Run `serve` up to its exec; return the supervisor's command line and the settings that it inherits."""

    def execv(_program: str, command: list[str]) -> None:
        # Whatever comes from here on waits until the supervisor can handle it. The tests go on without the mask.
        assert signal.pthread_sigmask(signal.SIG_SETMASK, mask) >= set(HANDLED)
        raise Replaced(command)

    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert mask.isdisjoint(HANDLED)
    monkeypatch.setattr(os, "execv", execv)
    ended = CliRunner().invoke(main, ["serve", "--config", os.devnull, *arguments])
    assert isinstance(ended.exception, Replaced), ended.output
    command = ended.exception.arguments
    settings_fd = int(command[command.index("--settings-fd") + 1])
    assert os.get_inheritable(settings_fd)
    with os.fdopen(settings_fd, "rb") as inherited:
        return command, msgspec.msgpack.decode(inherited.read(), type=Settings)


def test_serve_hands_the_settings_to_the_supervisor_by_an_inherited_file(monkeypatch: pytest.MonkeyPatch) -> None:
    command, settings = replaced(
        monkeypatch, "--port", "0", "--host", "::1", "--endpoint", "ipc:///run/a", "--endpoint", "ipc:///run/b"
    )

    assert command[:4] == [sys.executable, "-P", "-m", "omnishotd.supervisor"]
    assert settings.frames.endpoints == ["ipc:///run/a", "ipc:///run/b"]
    assert (settings.control.host, settings.control.port) == ("::1", 0)


def test_direct_options_lie_over_assignments(monkeypatch: pytest.MonkeyPatch) -> None:
    _, settings = replaced(monkeypatch, "--port", "4000", "--set", "control.port=5000", "--set", "memory.arena_mb=300")

    assert (settings.control.port, settings.memory.arena_mb) == (4000, 300)


def test_serve_passes_log_format_and_ready_descriptor_on(monkeypatch: pytest.MonkeyPatch) -> None:
    command, _ = replaced(monkeypatch, "--log-format", "json", "--ready-fd", "7")

    assert command[6 : command.index("--")] == ["--log-format", "json", "--ready-fd", "7"]


def test_serve_tells_the_supervisor_how_to_read_the_same_configuration_again(monkeypatch: pytest.MonkeyPatch) -> None:
    command, settings = replaced(monkeypatch, "--port", "4000", "--set", "memory.arena_mb=300")
    again = command[command.index("--") + 1 :]
    with tempfile.TemporaryFile() as file:
        ended = CliRunner().invoke(main, [*again, "--settings-to", str(file.fileno())])
        file.seek(0)
        read = msgspec.msgpack.decode(file.read(), type=Settings)

    assert ended.exit_code == 0
    assert read == settings


PARENT = """
import os, subprocess, sys
subprocess.Popen([sys.executable, "-P", "-m", "omnishotd", "serve", "--config", "/dev/null", "--port", "0",
                  "--ready-fd", sys.argv[1], "--stop-with-parent", str(os.getpid())],
                 pass_fds=[int(sys.argv[1])])
input()
"""


def test_daemon_that_was_asked_to_stops_when_its_parent_is_killed(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    log_reading, log_writing = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(writing)],
        stdin=subprocess.PIPE,
        stderr=log_writing,
        pass_fds=[writing],
        env=os.environ | {"RUNTIME_DIRECTORY": str(tmp_path)},
    )
    os.close(writing)
    os.close(log_writing)
    with parent, os.fdopen(reading, "rb") as ready, os.fdopen(log_reading, "rb") as log:
        assert ready.read(1) == b"R"
        parent.send_signal(signal.SIGKILL)
        # The end of the log is the end of all processes that hold it: supervisor and children.
        assert b"SIGTERM" in log.read()


def test_daemon_whose_parent_is_gone_already_does_not_start(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "omnishotd", "serve", "--config", os.devnull, "--stop-with-parent", str(gone.pid)],
        env=os.environ | {"RUNTIME_DIRECTORY": str(tmp_path)},
        capture_output=True,
        check=False,
        timeout=30,
    )

    assert ended.returncode == os.EX_TEMPFAIL
    assert ended.stderr == b"omnishotd: the process that asked for this daemon is gone\n"
