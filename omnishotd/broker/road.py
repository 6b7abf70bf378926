"""The frames' road: what the broker and its workers say to each other."""

import logging
from collections.abc import Callable, Collection
from typing import Any, Final, Protocol

import msgspec
import zmq

from ipc.causes import Cause
from ipc.messages import Batch, Hello, Relay, ToBroker
from ipc.sockets import Socket
from omnishotd.broker.crew import Worker
from omnishotd.broker.flow import Flow
from omnishotd.broker.lender import Lender, Unprovided
from omnishotd.broker.relays import Forged, Relays

log = logging.getLogger(__name__)

REPORTS_PER_TURN_MAX: Final = 64
"""Messages taken before the producers, and the time, get their turn."""


class Kill(Protocol):
    """Has a worker killed."""

    def __call__(self, worker: Worker, reason: str, cause: Cause) -> None:
        """Ask the supervisor for it."""


class Road:
    """Owner of the workers' connections. `learn_of_workers` reads what the supervisor has said of new ones."""

    def __init__(
        self,
        socket: Socket,
        flow: Flow,
        relays: Relays,
        lender: Lender,
        kill: Kill,
        learn_of_workers: Callable[[], None],
    ) -> None:
        self.socket = socket
        self._flow = flow
        self._relays = relays
        self._lender = lender
        self._kill = kill
        self._learn_of_workers = learn_of_workers
        self._decoder: msgspec.msgpack.Decoder[ToBroker] = msgspec.msgpack.Decoder(ToBroker)
        self._encoder = msgspec.msgpack.Encoder()
        self._workers: dict[bytes, Worker] = {}
        self._was_misnamed = False
        """Whether a hello in another's name was told of: once is enough."""

    @property
    def workers(self) -> Collection[Worker]:
        """Those that have said hello."""
        return self._workers.values()

    def give_work(self, now_us: int) -> None:
        """Send out the jobs for which there is credit."""
        for worker, tasks in self._flow.assign(now_us):
            if worker.is_condemned:
                # Its message before this one, of the same turn, did not reach it.
                self._flow.crew.undelivered(worker, tasks[0].lease)
                continue
            try:
                self._lender.provide(worker, tasks)
                self.socket.send_multipart([worker.identity, self._encoder.encode(Batch(tasks))], zmq.DONTWAIT)
            except (zmq.ZMQError, Unprovided) as error:
                # It is dying, or does not read: what it was given comes back with the proof of its death.
                log.warning("%s cannot be reached (%s)", worker.service, error)
                self._flow.crew.undelivered(worker, tasks[0].lease)
                self._kill(worker, "cannot be reached", Cause.UNREACHABLE)

    def take_reports(self, now_us: int) -> None:
        """Take what workers have said."""
        for _ in range(REPORTS_PER_TURN_MAX):
            try:
                parts = self.socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            identity = parts[0].bytes
            try:
                self._take(identity, parts[1:], now_us)
            except (msgspec.MsgspecError, UnicodeDecodeError, IndexError, Forged) as error:
                self._distrust(identity, str(error))

    def forget(self, incarnation: int) -> None:
        """Let go of a worker that is proved dead."""
        self._lender.forget(incarnation)
        for identity in [key for key, worker in self._workers.items() if worker.incarnation == incarnation]:
            del self._workers[identity]

    def _take(self, identity: bytes, parts: list[Any], now_us: int) -> None:
        message = self._decoder.decode(parts[0].buffer)
        if isinstance(message, Hello):
            if identity in self._workers:
                raise Forged("a second hello")
            if identity != b"w%d" % message.incarnation:
                self._ignore_misnamed(identity, message.incarnation)
                return
            # ORDER: announced before it was started, so the announcement can be read by now. A hello of nobody would
            # be lost, and the worker with it.
            self._learn_of_workers()
            self._lender.take_in()
            worker = self._flow.hello(message.incarnation, identity, now_us)
            if worker is not None:
                self._workers[identity] = worker
            return
        known = self._workers.get(identity)
        if known is None:
            return
        if isinstance(message, Relay):
            self._relays.take(known, message.telemetry, now_us)
            return
        first = 1
        for answer in message.answers:
            last = first + len(answer.encoded)
            self._flow.answered(known, answer, parts[first:last], now_us)
            first = last

    def _ignore_misnamed(self, identity: bytes, incarnation: int) -> None:
        """Take no hello in another's name. Nobody is killed for it: the one it names has not said it."""
        if not self._was_misnamed:
            self._was_misnamed = True
            log.error("connection %r said hello as worker %d: ignored, and not told of again", identity, incarnation)

    def _distrust(self, identity: bytes, what: str) -> None:
        """Have a worker killed that does not speak the protocol: its memory cannot be trusted."""
        worker = self._workers.get(identity)
        if worker is not None and not worker.is_condemned:
            log.error("%s said something that is no message: %s", worker.service, what)
            worker.is_condemned = True
            self._kill(worker, "broke the protocol", Cause.PROTOCOL)
