"""The producers' door, with real sockets: who gets a message through it, and whose it is then."""

import logging
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import zmq

from ipc.settings import FramesSettings
from ipc.sockets import HANDSHAKE_MS, Context, Socket, make_context
from omnishotd.broker.door import Door, DoorUnusable
from omnishotd.broker.doorstep import HANDSHAKE_BYTES_MAX
from omnishotd.broker.frame import Sender
from omnishotd.broker.turnstile import Turnstile
from tests.omnishotd.broker.rig import make_settings
from tests.waiting import eventually

WITHIN_S = 5.0
WITHIN_MS = 5_000
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
"""Of ZMTP 3.0 without security."""


@dataclass(frozen=True)
class Pair:
    """Keys of one side."""

    public: bytes
    secret: bytes


DAEMON, CAMERA, STRANGER = (Pair(*zmq.curve_keypair()) for _ in range(3))


class Doorway:
    """An open door, and producers before it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.keys = folder / "authorized"
        self.keys.mkdir()
        self.let_in("camera", CAMERA)
        secret = folder / "secret"
        secret.write_bytes(DAEMON.secret)
        secret.chmod(0o600)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.tcp = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.path = folder / "frames.sock"
        self.ipc = f"ipc://{self.path}"
        self.frames: FramesSettings = msgspec.structs.replace(
            make_settings().frames,
            endpoints=[self.tcp, self.ipc],
            curve_secret_key_file=str(secret),
            curve_authorized_keys=str(self.keys),
        )
        self.context: Context = stack.enter_context(make_context())
        self.door = Door(self.context, self.frames, 1 << 20)
        stack.callback(self.door.close)
        self.turnstile = Turnstile(self.door.socket, [], 1 << 20)
        stack.callback(self.turnstile.close)
        self.outside: Context = zmq.Context()
        self.producers: list[Socket] = []
        stack.callback(self.leave)

    def leave(self) -> None:
        """Have all producers go."""
        self.outside.destroy(0)

    def let_in(self, name: str, own: Pair) -> None:
        """Put a key into the folder."""
        (self.keys / f"{name}.key").write_bytes(own.public)

    def knock(
        self, endpoint: str, own: Pair | None = None, server: Pair = DAEMON, routing_id: bytes | None = None
    ) -> Socket:
        """Connect a producer that says hello."""
        dealer = self.outside.socket(zmq.DEALER)
        self.producers.append(dealer)
        if routing_id is not None:
            dealer.setsockopt(zmq.ROUTING_ID, routing_id)
        if own is not None:
            dealer.setsockopt(zmq.CURVE_SERVERKEY, server.public)
            dealer.setsockopt(zmq.CURVE_PUBLICKEY, own.public)
            dealer.setsockopt(zmq.CURVE_SECRETKEY, own.secret)
        dealer.connect(endpoint)
        dealer.send(b"hello")
        return dealer

    def turn(self) -> tuple[Sender, bytes] | None:
        """Do one turn of the broker's loop; return a message if there is one of somebody."""
        now_s = time.monotonic()
        self.door.arrived(self.turnstile.take_arrivals(0), now_s)
        self.door.answer_questions()
        self.door.pass_time(now_s)
        try:
            received = self.door.receive()
        except zmq.Again:
            return None
        return None if received is None else (received[0], received[1][0].bytes)

    def sender(self) -> Sender:
        """Wait for a hello, and tell whose it is."""
        taken = eventually(self.turn, within_s=WITHIN_S, what="a message comes through")
        assert taken is not None
        assert taken[1] == b"hello"
        return taken[0]

    def greet(self) -> Sender:
        """Have a neighbour come in by the unix socket: then whoever was to come before has come, or never will."""
        self.knock(self.ipc)
        return self.sender()

    def failed_handshake(self, dealer: Socket) -> int:
        """Wait until a producer's handshake has failed, and tell how; whatever else comes in is a mistake."""
        monitor = dealer.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        )

        def failed() -> bool:
            assert self.turn() is None
            return bool(monitor.poll(0))

        with monitor:
            eventually(failed, within_s=WITHIN_S, what="the handshake fails")
            return int(struct.unpack("=Hi", monitor.recv_multipart()[0])[0])


@pytest.fixture
def doorway(tmp_path: Path) -> Iterator[Doorway]:
    with ExitStack() as stack:
        yield Doorway(tmp_path, stack)


def test_producer_on_a_unix_socket_is_known_by_user_and_process(doorway: Doorway) -> None:
    doorway.knock(doorway.ipc)
    peer = doorway.sender().peer

    assert (peer.id, peer.has_key) == (b"%d:%d" % (os.getuid(), os.getpid()), False)


def test_producer_over_tcp_is_known_by_its_key_and_the_key_by_its_file(doorway: Doorway) -> None:
    doorway.knock(doorway.tcp, CAMERA)
    peer = doorway.sender().peer

    assert (peer.id, peer.name, peer.has_key) == (CAMERA.public, "camera", True)


def test_both_kinds_come_in_by_one_socket_and_get_their_own_replies(doorway: Doorway) -> None:
    producers = [doorway.knock(doorway.ipc), doorway.knock(doorway.tcp, CAMERA)]
    senders = {sender.peer.has_key: sender for sender in (doorway.sender(), doorway.sender())}
    for has_key, producer in enumerate(producers):
        doorway.door.socket.send_multipart([senders[bool(has_key)].identity, b"for %d" % has_key])

        assert producer.poll(WITHIN_MS)
        assert producer.recv() == b"for %d" % has_key


@pytest.mark.parametrize(
    ("own", "server", "event"),
    [
        (STRANGER, DAEMON, {zmq.EVENT_HANDSHAKE_FAILED_AUTH}),
        (None, DAEMON, {zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL}),
        (CAMERA, STRANGER, {zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL}),
    ],
    ids=["unknown key", "no key", "wrong key of the daemon"],
)
def test_no_message_comes_through_without_the_right_keys(
    doorway: Doorway, own: Pair | None, server: Pair, event: set[int]
) -> None:
    dealer = doorway.knock(doorway.tcp, own, server)

    assert doorway.failed_handshake(dealer) in event
    assert doorway.greet().peer.has_key is False


def test_strangers_key_is_told_to_the_operator_once_in_a_while(
    doorway: Doorway, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            doorway.failed_handshake(doorway.knock(doorway.tcp, STRANGER))

    [told] = [record.message for record in caplog.records]
    assert told == f"not let in: 1, whose keys are not authorized, as that of 127.0.0.1: {STRANGER.public.decode()}"


def test_key_that_was_added_is_let_in_once_the_folder_is_read_again(doorway: Doorway) -> None:
    doorway.let_in("new", STRANGER)
    doorway.door.reconfigure(doorway.frames)
    doorway.knock(doorway.tcp, STRANGER)

    assert doorway.sender().peer.name == "new"


def test_who_is_in_is_not_heard_any_more_once_his_key_is_gone(doorway: Doorway) -> None:
    dealer = doorway.knock(doorway.tcp, CAMERA)
    doorway.sender()
    (doorway.keys / "camera.key").unlink()
    doorway.door.reconfigure(doorway.frames)
    dealer.send(b"once more")
    # What is read from the sockets in turn is read in turn: three rounds of a neighbour leave none behind.
    assert not any(doorway.greet().peer.has_key for _ in range(3))


def test_folder_with_a_bad_file_leaves_the_keys_as_they_were(
    doorway: Doorway, caplog: pytest.LogCaptureFixture
) -> None:
    bad = doorway.keys / "bad.key"
    bad.write_text("x")
    doorway.door.reconfigure(doorway.frames)
    doorway.knock(doorway.tcp, CAMERA)

    assert doorway.sender().peer.name == "camera"
    assert str(bad) in caplog.text


def test_routing_id_of_another_gives_nothing_of_his_and_does_not_disturb_him(doorway: Doorway) -> None:
    camera = doorway.knock(doorway.tcp, CAMERA, routing_id=b"camera")
    first = doorway.sender()
    squatter = doorway.knock(doorway.ipc, routing_id=b"camera")
    assert doorway.greet().identity != b"camera"
    camera.send(b"hello")
    again = doorway.sender()
    doorway.door.socket.send_multipart([b"camera", b"the reply"])

    assert (again, again.peer.id) == (first, CAMERA.public)
    assert camera.poll(WITHIN_MS)
    assert camera.recv() == b"the reply"
    assert not squatter.poll(0)


def test_what_a_peer_says_of_himself_does_not_count(doorway: Doorway) -> None:
    claims = {b"Socket-Type": b"DEALER", b"User-Id": CAMERA.public, b"Peer-Address": b"127.0.0.1"}
    ready = b"\x05READY" + b"".join(
        bytes([len(key)]) + key + len(value).to_bytes(4, "big") + value for key, value in claims.items()
    )
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(doorway.path))
        raw.sendall(GREETING)
        assert len(raw.recv(len(GREETING), socket.MSG_WAITALL)) == len(GREETING)
        raw.sendall(b"\x04" + bytes([len(ready)]) + ready + b"\x00\x05hello")
        peer = doorway.sender().peer

    assert (peer.id, peer.has_key) == (b"%d:%d" % (os.getuid(), os.getpid()), False)


def test_another_process_is_another_peer_with_the_same_owner(doorway: Doorway) -> None:
    doorway.knock(doorway.ipc)
    own = doorway.sender().peer
    program = f"import zmq; s = zmq.Context().socket(zmq.DEALER); s.connect({doorway.ipc!r}); s.send(b'hello')"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)
    other = doorway.sender().peer

    assert own.id != other.id
    assert own.owner == other.owner


def test_peers_that_were_remembered_are_bounded(doorway: Doorway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnishotd.broker.door.PEERS_KNOWN_MAX", 1)
    for _ in range(2):
        doorway.door._local_peer("localhost:1:1:1")
        doorway.door._local_peer("localhost:1:1:2")

    assert len(doorway.door._peers) == 1


def stranger_at(doorway: Doorway, stack: ExitStack) -> socket.socket:
    """Somebody who talks to the door over TCP, as far as a greeting, and never waits."""
    raw = stack.enter_context(socket.create_connection(("127.0.0.1", int(doorway.tcp.rpartition(":")[2]))))
    raw.sendall(GREETING.replace(b"NULL\0", b"CURVE"))
    raw.setblocking(False)
    return raw


def is_cut_off(raw: socket.socket) -> bool:
    """Read what there is, and tell whether that was all there will ever be."""
    try:
        while data := raw.recv(4096):
            assert data
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


def test_who_brings_more_than_a_handshake_before_it_is_done_is_cut_off(doorway: Doorway) -> None:
    """A command of 1 MiB, which libzmq would take in as a whole before it looks at it."""
    with ExitStack() as stack:
        raw = stranger_at(doorway, stack)
        raw.sendall(b"\x06" + (1 << 20).to_bytes(8, "big") + bytes(HANDSHAKE_BYTES_MAX))

        def cut_off() -> bool:
            assert doorway.turn() is None
            return is_cut_off(raw)

        eventually(cut_off, within_s=HANDSHAKE_MS / 2000, what="the stranger is cut off, long before he is timed out")


def test_who_only_waits_is_let_wait_but_for_too_many(doorway: Doorway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnishotd.broker.doorstep.WAITING_MAX", 3)
    doorway.knock(doorway.tcp, CAMERA)
    doorway.sender()
    with ExitStack() as stack:
        strangers = [stranger_at(doorway, stack) for _ in range(5)]

        def cut_off() -> list[bool]:
            doorway.turn()
            return [is_cut_off(raw) for raw in strangers]

        eventually(lambda: cut_off()[:2] == [True, True], within_s=WITHIN_S, what="the oldest make room")
        doorway.producers[0].send(b"hello")

        assert doorway.sender().peer.name == "camera"
        assert cut_off() == [True, True, False, False, False]


def test_large_first_message_of_who_has_a_key_comes_through(doorway: Doorway) -> None:
    dealer = doorway.knock(doorway.tcp, CAMERA)
    dealer.send(bytes(1_000_000))
    doorway.sender()
    taken = eventually(doorway.turn, within_s=WITHIN_S, what="the large message comes through")

    assert taken is not None
    assert len(taken[1]) == 1_000_000


@pytest.mark.parametrize("wrong", ["secret", "folder", "group", "address"])
def test_door_that_cannot_be_opened_says_why_in_one_line(doorway: Doorway, wrong: str) -> None:
    secret = Path(doorway.frames.curve_secret_key_file)
    frames = msgspec.structs.replace(doorway.frames, endpoints=["tcp://127.0.0.1:*", f"{doorway.ipc}-2"])
    if wrong == "secret":
        secret.chmod(0o644)
    elif wrong == "folder":
        frames = msgspec.structs.replace(frames, curve_authorized_keys="/nowhere")
    elif wrong == "group":
        frames = msgspec.structs.replace(frames, socket_group="no-such-group")
    else:
        frames = msgspec.structs.replace(frames, endpoints=[doorway.tcp])
    with make_context() as context, pytest.raises(DoorUnusable) as caught:
        Door(context, frames, 1 << 20)

    told = {"secret": str(secret), "folder": "/nowhere", "group": "no-such-group", "address": doorway.tcp}
    assert told[wrong] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_door_without_tcp_needs_no_keys_and_asks_nobody(doorway: Doorway, tmp_path: Path) -> None:
    frames = msgspec.structs.replace(
        doorway.frames, endpoints=[f"ipc://{tmp_path}/f"], curve_secret_key_file="", curve_authorized_keys=""
    )
    with make_context() as context:
        door = Door(context, frames, 1 << 20)
        door.reconfigure(frames)
        door.answer_questions()
        door.close()

    assert door.questions is None
