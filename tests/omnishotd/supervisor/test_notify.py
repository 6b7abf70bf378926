"""Notes to the service manager, read from a real datagram socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnishotd.supervisor.notify import Notifier


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
    notifier.stopping("finishing")

    assert [end.recv(500).decode().split("\n") for _ in range(3)] == [
        ["READY=1", "STATUS=serving", f"MAINPID={os.getpid()}"],
        ["STATUS=busy"],
        ["STOPPING=1", "STATUS=finishing"],
    ]


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
