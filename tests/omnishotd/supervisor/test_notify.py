"""Notes to the service manager, read from a real datagram socket."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnishotd.supervisor.notify import STATUS_LENGTH_MAX, Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, runtime_directory: Path) -> Iterator[tuple[socket.socket, str]]:
    """A service manager's socket and its address as NOTIFY_SOCKET has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.settimeout(5)
        if request.param == "path":
            address = str(runtime_directory / "notify")
            end.bind(address)
        else:
            address = f"@{runtime_directory}/notify"
            end.bind("\0" + address[1:])
        yield end, address


def test_states_arrive_as_systemd_reads_them(manager: tuple[socket.socket, str]) -> None:
    end, address = manager
    notifier = Notifier(address)
    notifier.ready("serving")
    notifier.status("busy")
    notifier.alive()
    notifier.patience(2.5)
    notifier.stopping("finishing")

    assert [end.recv(500).decode().split("\n") for _ in range(5)] == [
        ["READY=1", "STATUS=serving", f"MAINPID={os.getpid()}"],
        ["STATUS=busy"],
        ["WATCHDOG=1"],
        ["EXTEND_TIMEOUT_USEC=2500000"],
        ["STOPPING=1", "STATUS=finishing"],
    ]


def test_reload_carries_the_monotonic_time_at_which_it_began(manager: tuple[socket.socket, str]) -> None:
    end, address = manager
    before_us = time.monotonic_ns() // 1000
    Notifier(address).reloading("reading")
    said = dict(line.split("=") for line in end.recv(500).decode().split("\n"))

    assert before_us <= int(said.pop("MONOTONIC_USEC")) <= time.monotonic_ns() // 1000
    assert said == {"RELOADING": "1", "STATUS": "reading"}


def test_status_can_say_nothing_but_a_status(manager: tuple[socket.socket, str]) -> None:
    end, address = manager
    notifier = Notifier(address)
    notifier.status("refused: a\nREADY=1\tb")
    notifier.status("x" * 5000)

    assert end.recv(500) == b"STATUS=refused: a READY=1 b"
    assert end.recv(500) == b"STATUS=" + b"x" * (STATUS_LENGTH_MAX - 3) + b"..."


def test_address_is_taken_out_of_the_environment(
    manager: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    end, address = manager
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    Notifier.from_environment().status("here")

    assert end.recv(500) == b"STATUS=here"
    assert "NOTIFY_SOCKET" not in os.environ


def test_notifier_without_a_manager_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setattr(socket, "socket", None)

    Notifier.from_environment().ready("serving")


def test_notifier_whose_manager_is_gone_goes_on(runtime_directory: Path) -> None:
    notifier = Notifier(str(runtime_directory / "nobody"))

    notifier.ready("serving")
    notifier.stopping("finishing")


def test_notifier_whose_manager_does_not_read_never_blocks(manager: tuple[socket.socket, str]) -> None:
    end, address = manager
    notifier = Notifier(address)
    for number in range(10_000):
        notifier.status(str(number))

    assert end.recv(500) == b"STATUS=0"
