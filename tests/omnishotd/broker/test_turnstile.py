"""The turnstile: a door that is shut before the descriptors are used up, and opened again."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import zmq

from ipc.sockets import make_context
from omnishotd.broker.turnstile import LOOK_EVERY_US, Turnstile
from tests.waiting import eventually

ROOM = 20
"""Connections for which there are places."""


class Entrance:
    """A door with so few places that they are soon taken."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        context = stack.enter_context(make_context())
        self.path = folder / "frames.sock"
        self.door = context.socket(zmq.ROUTER)
        stack.callback(self.door.close, linger=0)
        self.door.bind(f"ipc://{self.path}")
        # The turnstile's own, of which there are at most five.
        in_use = len(os.listdir("/proc/self/fd")) + 5  # noqa: PTH208 - names are enough
        self.turnstile = Turnstile(self.door, [f"ipc://{self.path}"], 2 * (in_use + ROOM))
        stack.callback(self.turnstile.close)
        self.now_us = 0
        self._stack = stack
        self.guests: list[socket.socket] = []

    def come(self, count: int) -> None:
        """Connect, as often as the door is found."""
        for _ in range(count):
            guest = self._stack.enter_context(socket.socket(socket.AF_UNIX))
            guest.connect(str(self.path))
            self.guests.append(guest)
            assert self.turnstile.arrivals.poll(5_000)
            self.turnstile.take_arrivals(self.now_us)

    def leave(self, count: int) -> None:
        """Have some leave, and wait until libzmq has noticed."""
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are enough
        for _ in range(count):
            self.guests.pop().close()
        # Each guest has an end here, and one at the door.
        eventually(
            lambda: len(os.listdir("/proc/self/fd")) <= before - 2 * count,  # noqa: PTH208 - names are enough
            within_s=5.0,
            what="those who left are gone",
        )

    def look(self) -> None:
        """Let the time pass after which is looked again."""
        self.now_us += LOOK_EVERY_US
        self.turnstile.pass_time(self.now_us)


@pytest.fixture
def entrance(runtime_directory: Path) -> Iterator[Entrance]:
    with ExitStack() as stack:
        yield Entrance(runtime_directory, stack)


def test_door_with_places_left_stays_open(entrance: Entrance) -> None:
    entrance.come(ROOM // 2)
    entrance.look()

    assert entrance.path.exists()


def test_door_is_shut_when_half_of_the_descriptors_are_in_use_and_who_is_in_stays(entrance: Entrance) -> None:
    with pytest.raises(FileNotFoundError):
        entrance.come(3 * ROOM)

    assert ROOM <= len(entrance.guests) <= ROOM + 6
    assert not entrance.path.exists()
    for guest in entrance.guests:
        guest.settimeout(5.0)
        assert guest.recv(1) == b"\xff", "its greeting is answered"


def test_door_opens_again_when_some_have_left_and_not_before(entrance: Entrance) -> None:
    with pytest.raises(FileNotFoundError):
        entrance.come(3 * ROOM)
    entrance.leave(1)
    entrance.look()
    assert not entrance.path.exists()
    entrance.leave(ROOM)
    entrance.turnstile.pass_time(entrance.now_us)
    assert not entrance.path.exists(), "it is looked now and then only"
    entrance.look()

    assert entrance.path.exists()
    entrance.come(1)


def test_many_who_come_and_go_do_not_shut_the_door(entrance: Entrance) -> None:
    for _ in range(3 * ROOM):
        entrance.come(1)
        entrance.leave(1)

    assert entrance.path.exists()


def test_file_that_a_dead_broker_moved_away_is_removed(runtime_directory: Path) -> None:
    left = runtime_directory / "frames.sock.full"
    left.touch()
    with ExitStack() as stack:
        Entrance(runtime_directory, stack)

        assert not left.exists()


def test_door_that_is_closed_while_it_is_shut_leaves_no_file(runtime_directory: Path) -> None:
    with ExitStack() as stack:
        entrance = Entrance(runtime_directory, stack)
        with pytest.raises(FileNotFoundError):
            entrance.come(3 * ROOM)

    assert list(runtime_directory.iterdir()) == []


def test_address_that_is_no_file_is_left_alone() -> None:
    with ExitStack() as stack:
        context = stack.enter_context(make_context())
        door = context.socket(zmq.ROUTER)
        stack.callback(door.close, linger=0)
        port = door.bind_to_random_port("tcp://127.0.0.1")
        turnstile = Turnstile(door, [f"tcp://127.0.0.1:{port}", "ipc://@abstract"], 4)
        stack.callback(turnstile.close)
        with socket.create_connection(("127.0.0.1", port)):
            assert turnstile.arrivals.poll(5_000)
            turnstile.take_arrivals(0)
            turnstile.pass_time(LOOK_EVERY_US)
