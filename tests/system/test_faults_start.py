"""What keeps a daemon from starting: told in one go, with the status that says whether trying again helps."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from omnishotd.client import Client
from tests.daemon import Daemon
from tests.neighbour import OUTPUTS
from tests.numbered import number_of_jpeg, numbered_jpeg

EXIT_UNAVAILABLE = 69
EXIT_CONFIGURATION = 78
TOKEN = "x" * 32


def serve(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the daemon's command where it is expected to end by itself."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OMNISHOTD_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "omnishotd", "serve", "--log-format", "text", "--port", "0", *arguments],
        env=environment | {"RUNTIME_DIRECTORY": str(directory)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def token_file(directory: Path, text: str, mode: int) -> str:
    file = directory / "token"
    file.write_text(text)
    file.chmod(mode)
    return f"control.token_file={file}"


BAD: dict[str, str] = {
    "no such key": "frames.nosuch=1",
    "wrong type": "pipeline.queue_limit=many",
    "out of bounds": "pipeline.queue_limit=-1",
    "arena too small for one frame": "memory.arena_mb=32",
    "tcp without keys": 'frames.endpoints=["tcp://127.0.0.1:9000"]',
    "other hosts without a token": "control.host=0.0.0.0",
    "token that is not there": "control.token_file=/nowhere/token",
}


@pytest.mark.parametrize("assignment", BAD.values(), ids=BAD)
def test_configuration_that_cannot_be_ends_with_78_before_anything_is_made(
    runtime_directory: Path, assignment: str
) -> None:
    outcome = serve(runtime_directory, "--set", assignment)

    assert outcome.returncode == EXIT_CONFIGURATION
    assert assignment.partition("=")[0] in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert list(runtime_directory.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "mode"), [(TOKEN, 0o644), (TOKEN[1:], 0o600), ("", 0o600)], ids=["readable by all", "short", "empty"]
)
def test_token_that_protects_nothing_ends_with_78_and_is_not_told(
    runtime_directory: Path, tmp_path: Path, text: str, mode: int
) -> None:
    outcome = serve(runtime_directory, "--set", token_file(tmp_path, text, mode))

    assert outcome.returncode == EXIT_CONFIGURATION
    assert "control.token_file" in outcome.stderr
    assert not text or text not in outcome.stderr
    assert list(runtime_directory.iterdir()) == []


@pytest.mark.timeout(60)
def test_socket_file_that_nobody_listens_on_is_taken_over(runtime_directory: Path) -> None:
    for name in ("frames.sock", "work.sock", "telemetry.sock"):
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(str(runtime_directory / name))
    with Daemon(runtime_directory) as daemon, Client(endpoint=daemon.endpoint) as client:
        result = client.process(numbered_jpeg(3, 320, 240), outputs=OUTPUTS)

    assert number_of_jpeg(result.outputs[0].data) == 3


def test_socket_that_a_stranger_listens_on_is_left_to_him(runtime_directory: Path, tmp_path: Path) -> None:
    """He holds no lock of ours; libzmq would take his address away without a word."""
    place = tmp_path / "theirs.sock"
    with socket.socket(socket.AF_UNIX) as stranger, socket.socket(socket.AF_UNIX) as caller:
        stranger.bind(str(place))
        stranger.listen(1)
        outcome = serve(runtime_directory, "--endpoint", f"ipc://{place}")
        caller.connect(str(place))

    assert outcome.returncode == EXIT_UNAVAILABLE
    (line,) = outcome.stderr.splitlines()
    assert str(place) in line
