"""The producers' door: one ROUTER on all addresses, who may come in over TCP, and from whom a message is.

What is set on the socket between two binds counts for the addresses bound after it: so one ROUTER takes producers
over unix sockets without a key, and over TCP with one, and knows all routing ids, of which it gives none away twice.
"""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import zmq

from ipc.keys import KeyUnusable, read_public_keys, read_secret_key
from ipc.printable import printable
from ipc.settings import FramesSettings
from ipc.sockets import Context, Socket, bind_producers, bind_questions
from omnishotd.broker.doorstep import Doorstep
from omnishotd.broker.frame import Sender
from omnishotd.broker.peer import Peer, is_local, peer_of_address, peer_of_key
from omnishotd.broker.zap import Verdict, judge

log = logging.getLogger(__name__)

HANDSHAKES_PER_TURN_MAX: Final = 16
PEERS_KNOWN_MAX: Final = 4096
TELL_EVERY_S: Final = 10.0
"""Of those who did not get in: not as often as somebody might like to be told of."""
PARTS_MAX: Final = 5
"""Of a message, so many are kept: routing id, delimiter, header, payload, and one that is too many."""
PARTS_SKIPPED_MAX: Final = 250_000
"""Half a second's work, in which nobody else is served."""


class DoorBlocked(Exception):
    """Somebody sent a message of so many parts that only a new start gets rid of it."""


class DoorUnusable(Exception):
    """The door cannot be opened. The text is for the operator."""


class Door:
    """Owner of the producers' socket."""

    def __init__(self, context: Context, frames: FramesSettings, message_bytes_max: int) -> None:
        """Open the door. Raises `DoorUnusable`."""
        self._keyed: dict[str | int, Peer] = {}
        """By key, those who may come in over TCP."""
        self._peers: dict[str | int, Peer] = {}
        """By `Peer-Address`, some of those on unix sockets."""
        self._refused = 0
        self._refused_last: Verdict | None = None
        self._cut_off = 0
        self._told_s = -math.inf
        self.questions: Socket | None = None
        """Where libzmq asks who may come in; None where nobody may come over TCP."""
        self._doorstep = Doorstep()
        secret_key = None
        try:
            if any(endpoint.startswith("tcp://") for endpoint in frames.endpoints):
                secret_key = read_secret_key(Path(frames.curve_secret_key_file)).encode()
                self._authorize(Path(frames.curve_authorized_keys))
                # ORDER: whoever connects before it is there would have to wait, or be turned away.
                self.questions = bind_questions(context)
            self.socket = bind_producers(context, frames, message_bytes_max, secret_key)
        except (KeyUnusable, OSError, LookupError, zmq.ZMQError) as error:
            self._close_questions()
            why = zmq.strerror(error.errno or 0) if isinstance(error, zmq.ZMQError) else error
            raise DoorUnusable(f"cannot listen on {', '.join(frames.endpoints)}: {why}") from error
        if secret_key is not None:
            self._tell_of_keys(frames.curve_authorized_keys)

    def reconfigure(self, frames: FramesSettings) -> None:
        """Take over who may come in. Who is in already and whose key is gone is not heard any more."""
        if self.questions is None:
            return
        try:
            self._authorize(Path(frames.curve_authorized_keys))
        except (KeyUnusable, OSError) as error:
            log.error("the keys that may connect stay as they were: %s", error)  # noqa: TRY400 - it says all
        else:
            self._tell_of_keys(frames.curve_authorized_keys)

    def receive(self) -> tuple[Sender, list[Any]] | None:
        """Take one message: who sent it, and its parts without the envelope. Returns None for one of nobody.

        Raises `zmq.Again` where there is none, and `DoorBlocked`.
        """
        parts: list[zmq.Frame] = [self.socket.recv(zmq.DONTWAIT, copy=False)]
        while parts[-1].more and len(parts) < PARTS_MAX:
            parts.append(self.socket.recv(copy=False))
        if parts[-1].more:
            self._skip_rest()
        peer = self._peer(parts[0])
        if peer is None:
            return None
        has_delimiter = len(parts) > 1 and not len(parts[1])
        return Sender(parts[0].bytes, has_delimiter, peer), parts[1 + has_delimiter :]

    def _skip_rest(self) -> None:
        """Throw the rest of a message away. All of it is there; libzmq gives nothing else before it was taken."""
        for _ in range(PARTS_SKIPPED_MAX):
            if not self.socket.recv(copy=False).more:
                return
        raise DoorBlocked(f"a message of more than {PARTS_SKIPPED_MAX} parts")

    def arrived(self, descriptors: Sequence[int], now_s: float) -> None:
        """Take note of who came, by libzmq's descriptors."""
        if self.questions is not None:
            self._cut_off += self._doorstep.arrived(descriptors, now_s)

    def due_in_ms(self, now_s: float) -> int | None:
        """Return when `pass_time` is to be called at the latest; None where nobody is on the doorstep."""
        return self._doorstep.due_in_ms(now_s)

    def pass_time(self, now_s: float) -> None:
        """Cut off who brings more than a handshake, and tell of those who did not get in."""
        self._cut_off += self._doorstep.look(now_s)
        if (self._refused or self._cut_off) and now_s - self._told_s >= TELL_EVERY_S:
            self._told_s = now_s
            self._tell_of_refused()

    def answer_questions(self) -> None:
        """Decide on some of the handshakes that wait for it."""
        if self.questions is None:
            return
        for _ in range(HANDSHAKES_PER_TURN_MAX):
            try:
                verdict = judge(self.questions.recv_multipart(zmq.DONTWAIT), self._keyed)
            except zmq.Again:
                return
            self.questions.send_multipart(verdict.answer)
            if not verdict.is_let_in:
                self._refused += 1
                self._refused_last = verdict

    def close(self) -> None:
        """Close; replies on their way get the socket's linger."""
        self.socket.close()
        self._close_questions()

    def _authorize(self, folder: Path) -> None:
        """Read the keys of those who may come in. Raises `KeyUnusable`, OSError; then all stays as it was."""
        self._keyed = {key: peer_of_key(key, name) for key, name in read_public_keys(folder).items()}

    def _tell_of_keys(self, folder: str) -> None:
        if self._keyed:
            log.info("keys in %s that may connect: %d", folder, len(self._keyed))
        else:
            log.warning("no key in %s: nobody can connect over TCP", folder)

    def _peer(self, part: zmq.Frame) -> Peer | None:
        """Tell whose message a part is of; None where that cannot be told, or he is not let in any more.

        libzmq's own properties stand before anything that a peer says of himself.
        """
        try:
            said = part.get("Peer-Address")
            peer = self._peers.get(said)
            if peer is None:
                peer = self._local_peer(said) if is_local(str(said)) else self._keyed.get(part.get("User-Id"))
        except zmq.ZMQError:
            # There is no such property.
            return None
        return peer

    def _local_peer(self, address: str | int) -> Peer:
        if len(self._peers) >= PEERS_KNOWN_MAX:
            self._peers.clear()
        return self._peers.setdefault(address, peer_of_address(str(address)))

    def _tell_of_refused(self) -> None:
        if self._refused_last is not None:
            address, key = printable(self._refused_last.address), self._refused_last.key
            log.warning("not let in: %d, whose keys are not authorized, as that of %s: %s", self._refused, address, key)
        if self._cut_off:
            log.warning("cut off: %d, too many at once without a key, or with too much to say", self._cut_off)
        self._refused = self._cut_off = 0
        self._refused_last = None

    def _close_questions(self) -> None:
        if self.questions is not None:
            self.questions.close()
