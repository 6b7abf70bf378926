"""What each process of a running daemon is, seen from outside."""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from omnishotd.client import Client
from tests.daemon import Daemon
from tests.numbered import numbered_jpeg
from tests.photographs import decoded, photograph_jpeg

PIXEL_LIBRARIES = ("numpy", "cv2", "simplejpeg", "cykooz_resizer", "PIL")
WEB_LIBRARIES = ("starlette", "uvicorn", "pydantic")
BARE_PRODUCER = Path(__file__).parent / "bare_producer.py"


def mapped_libraries(pid: int) -> set[str]:
    """Name the packages whose compiled modules a process has mapped."""
    found = set()
    for mapping in psutil.Process(pid).memory_maps():
        parts = Path(mapping.path).parts
        if "site-packages" in parts:
            found.add(parts[parts.index("site-packages") + 1])
    return found


@pytest.mark.parametrize("kind", ["broker", "supervisor"])
def test_neither_broker_nor_supervisor_ever_loads_a_pixel_library(daemon: Daemon, kind: str) -> None:
    with Client(endpoint=daemon.endpoint) as client:
        client.process(numbered_jpeg(1, 320, 240), preset="thumbnail")
    pid = daemon.process.pid if kind == "supervisor" else daemon.pids(kind)[0]
    mapped = mapped_libraries(pid)

    assert "msgspec" in mapped
    assert mapped.isdisjoint(PIXEL_LIBRARIES + WEB_LIBRARIES)


def test_workers_stay_single_threaded_but_for_zeromq(daemon: Daemon) -> None:
    with Client(endpoint=daemon.endpoint) as client:
        client.process(photograph_jpeg(1600), preset="thumbnail")
    for kind in ("decode", "transform", "encode"):
        for pid in daemon.pids(kind):
            # The loop, and the reaper and the I/O thread of its one ZeroMQ context.
            assert psutil.Process(pid).num_threads() == 3


def test_the_producer_written_from_the_protocol_document_alone_works(daemon: Daemon, tmp_path: Path) -> None:
    source, target = tmp_path / "in.jpg", tmp_path / "out.jpg"
    source.write_bytes(photograph_jpeg(800))
    outcome = subprocess.run(
        [sys.executable, BARE_PRODUCER, daemon.endpoint, source, "120", target],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert outcome.returncode == 0, outcome.stderr
    assert json.loads(outcome.stdout)["outputs"][0]["width"] == 120
    assert decoded(target.read_bytes()).shape == (120, 120, 3)


def test_runtime_directory_is_private_and_the_door_has_its_mode(daemon: Daemon) -> None:
    door = daemon.directory / "frames.sock"

    assert oct(daemon.directory.stat().st_mode & 0o777) == "0o700"
    assert oct(door.stat().st_mode & 0o777) == "0o660"
    assert oct((daemon.directory / "work.sock").stat().st_mode & 0o777) == "0o600"


def test_no_process_has_signals_blocked_once_the_daemon_serves(daemon: Daemon) -> None:
    """They are blocked while the command becomes the supervisor, and the mask is inherited."""
    for pid in daemon.all_pids():
        status = Path(f"/proc/{pid}/status").read_text()
        blocked = next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:"))
        assert int(blocked, 16) == 0, psutil.Process(pid).cmdline()
