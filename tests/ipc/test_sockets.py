"""Sockets: every limit is set, and no unix socket is open wider than it is meant to be, not for a moment."""

import grp
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from ipc.settings import FramesSettings
from ipc.sockets import (
    BACKLOG,
    BATCH_BYTES_MAX,
    HANDSHAKE_MS,
    HEARTBEAT_MS,
    HEARTBEAT_TIMEOUT_MS,
    PRODUCER_LINGER_MS,
    PRODUCER_RECEIVE_MARK,
    PRODUCER_SEND_MARK,
    TELEMETRY_RECEIVE_MARK,
    TELEMETRY_SEND_MARK,
    WORK_MARK,
    ZAP_DOMAIN,
    Context,
    Socket,
    bind_producers,
    bind_questions,
    bind_telemetry,
    bind_work,
    connect_telemetry,
    make_context,
    make_work_end,
)
from tests.waiting import eventually

SECRET_KEY = zmq.curve_keypair()[1]
MESSAGE_BYTES_MAX = 12_345


@pytest.fixture
def context() -> Iterator[Context]:
    with make_context() as made:
        yield made


def frames(*endpoints: str, mode: int = 0o660, group: str = "") -> FramesSettings:
    """Settings of the producers' door."""
    return FramesSettings(
        endpoints=list(endpoints),
        socket_mode=mode,
        socket_group=group,
        curve_secret_key_file="",
        curve_authorized_keys="",
        max_frame_bytes=1024,
        max_pixels=1,
        max_side=1,
        rate_per_second=0,
    )


def options(made: Socket, *names: int) -> list[Any]:
    """Read options back, and close."""
    with made:
        return [made.getsockopt(name) for name in names]


EVERYWHERE = (zmq.MAXMSGSIZE, zmq.HANDSHAKE_IVL, zmq.BACKLOG, zmq.HEARTBEAT_IVL, zmq.LINGER)


def test_producers_door_has_all_its_limits(context: Context, tmp_path: Path) -> None:
    door = bind_producers(context, frames(f"ipc://{tmp_path}/f"), MESSAGE_BYTES_MAX, None)
    beats = (zmq.HEARTBEAT_TIMEOUT, zmq.HEARTBEAT_TTL)

    assert options(door, *EVERYWHERE, *beats, zmq.RCVHWM, zmq.SNDHWM, zmq.MECHANISM) == [
        MESSAGE_BYTES_MAX,
        HANDSHAKE_MS,
        BACKLOG,
        HEARTBEAT_MS,
        PRODUCER_LINGER_MS,
        HEARTBEAT_TIMEOUT_MS,
        HEARTBEAT_TIMEOUT_MS,
        PRODUCER_RECEIVE_MARK,
        PRODUCER_SEND_MARK,
        zmq.NULL,
    ]


def test_tcp_is_bound_with_keys_and_with_a_domain_that_must_be_answered_for(context: Context) -> None:
    with bind_questions(context) as questions:
        door = bind_producers(context, frames("tcp://127.0.0.1:*"), MESSAGE_BYTES_MAX, SECRET_KEY)

        assert options(door, zmq.MECHANISM, zmq.CURVE_SERVER, zmq.ZAP_DOMAIN, zmq.ZAP_ENFORCE_DOMAIN) == [
            zmq.CURVE,
            1,
            ZAP_DOMAIN,
            1,
        ]
        assert questions.getsockopt(zmq.LINGER) == 0


def test_without_a_key_no_address_of_tcp_is_bound(context: Context, tmp_path: Path) -> None:
    door = bind_producers(context, frames("tcp://127.0.0.1:*", f"ipc://{tmp_path}/f"), MESSAGE_BYTES_MAX, None)

    assert options(door, zmq.LAST_ENDPOINT) == [f"ipc://{tmp_path}/f".encode()]


def test_roads_between_our_processes_have_their_limits_and_no_heartbeats(context: Context, tmp_path: Path) -> None:
    work, telemetry = f"ipc://{tmp_path}/w", f"ipc://{tmp_path}/t"
    ends = {
        "broker": (bind_work(context, work, MESSAGE_BYTES_MAX), zmq.RCVHWM, [MESSAGE_BYTES_MAX, WORK_MARK]),
        "worker": (make_work_end(context, 1), zmq.SNDHWM, [BATCH_BYTES_MAX, WORK_MARK]),
        "collector": (
            bind_telemetry(context, telemetry, MESSAGE_BYTES_MAX),
            zmq.RCVHWM,
            [MESSAGE_BYTES_MAX, TELEMETRY_RECEIVE_MARK],
        ),
        "teller": (connect_telemetry(context, telemetry), zmq.SNDHWM, [1024, TELEMETRY_SEND_MARK]),
    }
    for name, (made, mark, (size, count)) in ends.items():
        assert options(made, *EVERYWHERE, mark) == [size, HANDSHAKE_MS, BACKLOG, 0, 0, count], name
    for path in (tmp_path / "w", tmp_path / "t"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_unix_socket_has_the_mode_that_was_asked_for_whatever_the_umask(
    context: Context, tmp_path: Path, mode: int
) -> None:
    before = os.umask(0o077)
    try:
        with bind_producers(context, frames(f"ipc://{tmp_path}/f", mode=mode), MESSAGE_BYTES_MAX, None):
            assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == mode
    finally:
        assert os.umask(before) == 0o077


def test_group_is_set_before_the_mode_lets_it_in(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = grp.getgrgid(os.getgroups()[-1] if os.getgroups() else os.getegid())
    if os.geteuid() == 0:
        group = next(one for one in grp.getgrall() if one.gr_gid)
    modes = []
    chown = os.chown

    def seen(path: Path, *arguments: Any, **keys: Any) -> None:
        modes.append(stat.S_IMODE(path.stat().st_mode))
        chown(path, *arguments, **keys)

    monkeypatch.setattr("os.chown", seen)
    with bind_producers(context, frames(f"ipc://{tmp_path}/f", group=group.gr_name), MESSAGE_BYTES_MAX, None):
        made = (tmp_path / "f").stat()

    assert modes == [0o600]
    assert (made.st_gid, stat.S_IMODE(made.st_mode)) == (group.gr_gid, 0o660)


def test_unknown_group_is_an_error_and_nobody_is_let_in_meanwhile(context: Context, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no-such-group"):
        bind_producers(context, frames(f"ipc://{tmp_path}/f", group="no-such-group"), MESSAGE_BYTES_MAX, None)

    assert not (tmp_path / "f").exists() or stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600


def test_door_that_cannot_be_opened_gives_back_what_it_has_bound(context: Context) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with socket.create_server(("127.0.0.1", 0)) as free_for_now:
            free = f"tcp://127.0.0.1:{free_for_now.getsockname()[1]}"
        with pytest.raises(zmq.ZMQError):
            bind_producers(context, frames(free, taken), MESSAGE_BYTES_MAX, SECRET_KEY)

    eventually(lambda: can_bind(context, free), within_s=5.0, what="the address is free again")


def can_bind(context: Context, endpoint: str) -> bool:
    try:
        bind_producers(context, frames(endpoint), MESSAGE_BYTES_MAX, SECRET_KEY).close()
    except zmq.ZMQError:
        return False
    return True
