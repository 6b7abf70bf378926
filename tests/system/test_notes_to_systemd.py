"""What a service manager hears of a daemon: a test in its place, at a real NOTIFY_SOCKET."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.daemon import Daemon
from tests.waiting import eventually

TIMEOUT_US = 1_500_000
"""Pings come every half second."""
SILENT_S = 2.0


class Systemd:
    """Hears what is said, and remembers it."""

    def __init__(self, address: Path) -> None:
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.bind(str(address))
        self.heard: list[dict[str, str]] = []

    def listen(self, within_s: float) -> dict[str, str] | None:
        """Wait for the next note; None if there is none."""
        self._end.settimeout(within_s)
        try:
            note = self._end.recv(4096).decode()
        except (TimeoutError, BlockingIOError):
            return None
        self.heard.append(dict(line.split("=", 1) for line in note.split("\n")))
        return self.heard[-1]

    def wait_for(self, key: str, within_s: float = 20.0) -> dict[str, str]:
        """Wait for a note that says something of this."""

        def note() -> dict[str, str] | None:
            said = self.listen(within_s)
            return said if said is not None and key in said else None

        found = eventually(note, within_s=within_s, what=f"{key} is said")
        assert found is not None
        return found

    def close(self) -> None:
        self._end.close()


@pytest.fixture
def systemd(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    """Who is told, by the environment that a daemon is started in."""
    address = runtime_directory / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(address))
    monkeypatch.setenv("WATCHDOG_USEC", str(TIMEOUT_US))
    made = Systemd(address)
    yield made
    made.close()


def test_start_asks_for_patience_and_says_ready_once_all_serve(
    systemd: Systemd, daemon_with: Callable[..., Daemon]
) -> None:
    daemon = daemon_with()
    ready = systemd.wait_for("READY")
    before = systemd.heard[:-1]

    assert ready["STATUS"] == f"serving {daemon.endpoint}, 5 of 5 workers ready"
    assert ready["MAINPID"] == str(daemon.process.pid)
    assert any(note.get("EXTEND_TIMEOUT_USEC") == "10000000" for note in before)
    assert any(note.get("STATUS", "").startswith("starting, ") for note in before)
    assert any(note.get("WATCHDOG") == "1" for note in before)


def test_pings_come_as_long_as_the_supervisor_runs(systemd: Systemd, daemon_with: Callable[..., Daemon]) -> None:
    daemon = daemon_with()
    systemd.wait_for("READY")
    for _ in range(3):
        systemd.wait_for("WATCHDOG", within_s=5.0)
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        eventually(lambda: systemd.listen(0.0) is None, within_s=5.0, what="all that was said has been heard")
        silent = systemd.listen(SILENT_S)
    finally:
        daemon.process.send_signal(signal.SIGCONT)

    assert silent is None
    assert systemd.wait_for("WATCHDOG", within_s=5.0)


def test_pings_come_while_a_stop_waits_for_frames(systemd: Systemd, daemon_with: Callable[..., Daemon]) -> None:
    """The broker stands still, so the drain takes as long as it may."""
    daemon = daemon_with("pipeline.drain_timeout_ms=2000", "supervisor.hang_timeout_ms=60000")
    systemd.wait_for("READY")
    os.kill(daemon.pids("broker")[0], signal.SIGSTOP)
    daemon.process.send_signal(signal.SIGTERM)
    stopping = systemd.wait_for("STOPPING")
    systemd.wait_for("WATCHDOG", within_s=5.0)
    systemd.wait_for("EXTEND_TIMEOUT_USEC", within_s=5.0)

    assert stopping["STATUS"] == "finishing accepted frames"


def test_status_says_that_a_worker_is_missing(systemd: Systemd, daemon_with: Callable[..., Daemon]) -> None:
    daemon = daemon_with()
    systemd.wait_for("READY")
    os.kill(daemon.pids("decode-0")[0], signal.SIGKILL)
    statuses = [systemd.wait_for("STATUS")["STATUS"] for _ in range(2)]

    assert statuses == [f"serving {daemon.endpoint}, {count} of 5 workers ready" for count in (4, 5)]


def test_reload_is_told_from_its_beginning_to_its_end(systemd: Systemd, daemon_with: Callable[..., Daemon]) -> None:
    daemon = daemon_with()
    systemd.wait_for("READY")
    daemon.process.send_signal(signal.SIGHUP)
    reloading = systemd.wait_for("RELOADING")
    ready = systemd.wait_for("READY")

    assert int(reloading["MONOTONIC_USEC"]) > 0
    assert ready["STATUS"] == f"serving {daemon.endpoint}, 5 of 5 workers ready"


def test_children_cannot_speak_to_the_manager(systemd: Systemd, daemon_with: Callable[..., Daemon]) -> None:
    daemon = daemon_with()
    systemd.wait_for("READY")
    names = {name for pid in daemon.all_pids()[1:] for name in psutil.Process(pid).environ()}

    assert not names & {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
