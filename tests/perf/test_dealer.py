"""The load's own connection: what it says is ZeroMQ, in any pieces."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from perf.dealer import MESSAGE_BYTES_MAX, ConnectionFailed, Dealer
from perf.message import Message
from tests.zmtp import COMMAND, GREETING, LARGE, MORE, frame, header

REQUEST = b"\x81\xa2id\xa800000000"
PING = b"\x04PING\x00\x0acontext"


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Path]:
    """Somebody who shakes hands, and that is all."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as found:
        found.bind(f"ipc://{tmp_path}/silent")
        yield tmp_path / "silent"


@pytest.fixture
def router(tmp_path: Path) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as found:
        found.linger = 0
        found.rcvtimeo = found.sndtimeo = 10_000
        found.bind(f"ipc://{tmp_path}/router")
        yield found


@pytest.mark.parametrize("payload", [b"", b"small", bytes(range(256)) * 12_000])
def test_dealer_and_a_router_of_libzmq_understand_each_other(
    router: zmq.Socket[bytes], tmp_path: Path, payload: bytes
) -> None:
    with Dealer(f"{tmp_path}/router") as dealer:
        message = Message(REQUEST, payload)
        for number in (1, 255):
            message.number(number)
            sender = threading.Thread(target=dealer.send, args=[message.buffers, message.bytes])
            sender.start()
            identity, *parts = router.recv_multipart()
            sender.join(10)

            assert parts == [REQUEST.replace(b"00000000", b"%08x" % number), *([payload] if payload else [])]
            router.send_multipart([identity, b"reply", *([payload] if payload else [])])
            head, picture = dealer.receive()
            assert (head, bytes(picture)) == (b"reply", payload)
            assert not dealer.is_waiting


def test_replies_that_come_together_are_told_apart(router: zmq.Socket[bytes], tmp_path: Path) -> None:
    with Dealer(f"{tmp_path}/router") as dealer:
        message = Message(REQUEST)
        dealer.send(message.buffers, message.bytes)
        identity = router.recv_multipart()[0]
        for number in range(50):
            router.send_multipart([identity, b"%d" % number, bytes([number]) * 50_000])

        for number in range(50):
            head, picture = dealer.receive()
            assert (head, bytes(picture)) == (b"%d" % number, bytes([number]) * 50_000)


class Peer:
    """Somebody who shakes hands with each dealer, says what is to be said, and then nothing more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._accepted: list[socket.socket] = []

    def dealer_told(self, says: bytes) -> Dealer:
        """Connect a dealer, and tell it this."""
        answering = threading.Thread(target=self._answer, args=[says])
        answering.start()
        dealer = Dealer(str(self._path))
        answering.join(10)
        return dealer

    def heard(self) -> bytes:
        """All that the last dealer, which has hung up, has said."""
        return self._accepted[-1].makefile("rb").read()

    def close(self) -> None:
        for one in (*self._accepted, self._listener):
            one.close()

    def _answer(self, says: bytes) -> None:
        connection, _ = self._listener.accept()
        self._accepted.append(connection)
        connection.sendall(GREETING + frame(b"\x05READY", COMMAND) + says)
        connection.shutdown(socket.SHUT_WR)


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    found = Peer(tmp_path / "peer")
    yield found
    found.close()


def test_ping_is_answered_and_not_taken_for_a_reply(peer: Peer) -> None:
    with peer.dealer_told(frame(PING, COMMAND) + frame(b"head", MORE) + frame(b"picture")) as dealer:
        head, picture = dealer.receive()
        assert (head, bytes(picture)) == (b"head", b"picture")
        del picture

    assert peer.heard().endswith(frame(b"\x04PONGcontext", COMMAND))


@pytest.mark.parametrize(
    ("says", "complaint"),
    [
        (b"", "closed the connection"),
        (frame(b"head", MORE) + b"\x00\x10half", "closed the connection"),
        (header(MESSAGE_BYTES_MAX + 1, LARGE), f"there is room for {MESSAGE_BYTES_MAX}"),
        (frame(b"head", MORE) + frame(b"one", MORE) + frame(b"two"), "more pictures"),
    ],
)
def test_what_is_no_reply_is_told(peer: Peer, says: bytes, complaint: str) -> None:
    with peer.dealer_told(says) as dealer, pytest.raises(ConnectionFailed, match=complaint):
        dealer.receive()


def test_peer_that_takes_nothing_is_told_within_the_time(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perf.dealer.WITHIN_S", 1)
    message = Message(REQUEST, bytes(1 << 20))

    with peer.dealer_told(b"") as dealer, pytest.raises(ConnectionFailed, match="did not take a frame within 1 s"):
        dealer.send(message.buffers, message.bytes)


def test_peer_that_says_nothing_is_told_within_the_time(silent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perf.dealer.WITHIN_S", 1)

    with Dealer(str(silent)) as dealer, pytest.raises(ConnectionFailed, match="no answer within 1 s"):
        dealer.receive()
