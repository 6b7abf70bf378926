"""CURVE from a producer's side: where its keys come from, and what it says when a connection is not made."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import zmq

from omnishotd.client import Client, RequestTimeout
from omnishotd.client.connection import Context
from omnishotd.client.curve import Keys, find_keys
from omnishotd.client.messages import Result
from omnishotd.client.pending import PendingTable
from omnishotd.client.request import Request, TimeLimit
from tests.omnishotd.client.scripted_daemon import WITHIN_S
from tests.waiting import eventually

TCP = "tcp://127.0.0.1:5555"
SERVER = zmq.curve_keypair()
OWN = zmq.curve_keypair()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "camera.secret"
    file.write_bytes(OWN[1] + b"\n")
    file.chmod(0o600)
    return file


def test_keys_that_are_said_come_before_those_of_the_environment(key_file: Path) -> None:
    environment = {"OMNISHOTD_SERVER_KEY": OWN[0].decode(), "OMNISHOTD_KEY_FILE": "/nowhere"}

    assert find_keys(TCP, SERVER[0].decode(), key_file, environment) == Keys(SERVER[0], *OWN)


def test_environment_counts_for_tcp(key_file: Path) -> None:
    environment = {"OMNISHOTD_SERVER_KEY": f"{SERVER[0].decode()}\n", "OMNISHOTD_KEY_FILE": str(key_file)}

    assert find_keys(TCP, None, None, environment) == Keys(SERVER[0], *OWN)
    assert find_keys("ipc:///run/omnishotd/frames.sock", None, None, environment) is None


def test_tcp_without_any_key_may_be_a_forwarder() -> None:
    assert find_keys(TCP, None, None, {}) is None


@pytest.mark.parametrize(
    ("endpoint", "server_key", "has_file", "what"),
    [
        ("ipc:///run/a", SERVER[0].decode(), True, "server_key, key_file: are for tcp:// only, not for ipc:///run/a"),
        (TCP, SERVER[0].decode(), False, "key_file: this producer's secret key is needed beside server_key"),
        (TCP, None, True, "server_key: the daemon's public key is needed beside key_file"),
        (TCP, "/etc/omnishotd/server.key", True, "server_key: must be the daemon's public key itself, 40 characters"),
    ],
    ids=["not over TCP", "no secret key", "no public key", "a path"],
)
def test_keys_that_cannot_be_used_are_refused_by_name(
    key_file: Path, endpoint: str, server_key: str | None, has_file: bool, what: str
) -> None:
    with pytest.raises(ValueError, match="key") as caught:
        find_keys(endpoint, server_key, key_file if has_file else None, {})

    assert str(caught.value).startswith(what)


@pytest.mark.parametrize(("mode", "text"), [(0o644, OWN[1]), (0o600, b"x"), (0o600, None)], ids=["open", "bad", "none"])
def test_key_file_that_cannot_be_used_is_named(key_file: Path, mode: int, text: bytes | None) -> None:
    key_file.chmod(mode)
    if text is None:
        key_file.unlink()
    else:
        key_file.write_bytes(text)
    with pytest.raises(ValueError, match="key_file: ") as caught:
        Client(TCP, server_key=SERVER[0].decode(), key_file=key_file)

    assert str(key_file) in str(caught.value)


def test_secret_key_is_not_in_what_keys_show_of_themselves(key_file: Path) -> None:
    assert OWN[1].decode() not in repr(find_keys(TCP, SERVER[0].decode(), key_file, {}))


class ClosedDoor:
    """A daemon's door over TCP that lets nobody in; without a `secret` it does not even ask for keys."""

    def __init__(self, secret: bytes | None, stack: ExitStack) -> None:
        context: Context = stack.enter_context(zmq.Context())
        self._questions = stack.enter_context(context.socket(zmq.REP))
        self._questions.bind("inproc://zeromq.zap.01")
        router = stack.enter_context(context.socket(zmq.ROUTER))
        router.setsockopt(zmq.LINGER, 0)
        if secret is not None:
            router.setsockopt(zmq.CURVE_SERVER, 1)
            router.setsockopt(zmq.CURVE_SECRETKEY, secret)
            router.setsockopt(zmq.ZAP_DOMAIN, b"frames")
        router.bind("tcp://127.0.0.1:*")
        self.endpoint = router.getsockopt_string(zmq.LAST_ENDPOINT)

    def turn_away(self) -> None:
        """Answer the handshakes that wait for it."""
        while self._questions.poll(0):
            asked = self._questions.recv_multipart()
            self._questions.send_multipart([b"1.0", asked[1], b"400", b"unknown key", b"", b""])


@pytest.fixture
def closed_door() -> Iterator[Callable[[bytes | None], ClosedDoor]]:
    with ExitStack() as stack:
        yield lambda secret: ClosedDoor(secret, stack)


def refusal(door: ClosedDoor, client: Client) -> str:
    """Send a frame in vain, and return what is said about it."""
    future = client.submit(b"x", preset="p", timeout_s=0.7)

    def ended() -> bool:
        door.turn_away()
        return future.done()

    eventually(ended, within_s=WITHIN_S, what="the time limit passes")
    with pytest.raises(RequestTimeout) as caught:
        future.result(0)
    return str(caught.value)


def test_producer_whose_key_is_not_known_is_told_which_key_and_where_it_belongs(
    closed_door: Callable[[bytes | None], ClosedDoor], key_file: Path
) -> None:
    door = closed_door(SERVER[1])
    with Client(door.endpoint, server_key=SERVER[0].decode(), key_file=key_file) as client:
        told = refusal(door, client)

    assert told.startswith(f"{door.endpoint}: no connection within 0.7 s: the daemon does not know this producer's key")
    assert OWN[0].decode() in told
    assert "frames.curve_authorized_keys" in told


def test_producer_with_the_wrong_key_of_the_daemon_is_told_to_look_at_it(
    closed_door: Callable[[bytes | None], ClosedDoor], key_file: Path
) -> None:
    door = closed_door(SERVER[1])
    with Client(door.endpoint, server_key=OWN[0].decode(), key_file=key_file) as client:
        assert "is server_key the public key of the daemon there?" in refusal(door, client)


def test_producer_without_keys_is_told_that_it_needs_some(
    closed_door: Callable[[bytes | None], ClosedDoor], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("OMNISHOTD_SERVER_KEY", "OMNISHOTD_KEY_FILE"):
        monkeypatch.delenv(variable, raising=False)
    door = closed_door(SERVER[1])
    with Client(door.endpoint) as client:
        assert "keys (server_key and key_file)" in refusal(door, client)


def test_producer_with_keys_where_none_are_taken_is_told_so(
    closed_door: Callable[[bytes | None], ClosedDoor], key_file: Path
) -> None:
    door = closed_door(None)
    with Client(door.endpoint, server_key=SERVER[0].decode(), key_file=key_file) as client:
        told = refusal(door, client)

    assert "takes no keys, or is no daemon" in told or "the handshake was broken off" in told


def test_refusal_is_forgotten_once_a_connection_stands() -> None:
    table = PendingTable("camera", TCP, lambda: 0.0)
    table.submit(Request("r", b"", None, TimeLimit(1.0, 1.0), retry_when_busy=True, expects=Result))
    table.refused("an old story")
    table.connected(0.0)
    table.disconnected()
    [finished] = table.elapse(1.0)

    assert str(finished.outcome) == f"{TCP}: no daemon answered within 1 s"
