"""A producer of bare messages: no library stands between the wire and the history, so no duplicate can be hidden.

Some of its requests it sends twice, at once or after the reply, to see that they are executed once.
"""

import time
from dataclasses import dataclass
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import zmq
from zmq.utils.monitor import recv_monitor_message

from tests.chaos.history import OK, Answered, Asked, Ended, HistoryWriter, Unanswered
from tests.chaos.ledger import ASKED_AGAIN
from tests.chaos.pace import Pace
from tests.chaos.workload import Got, Wanted, Work, fault_of, make_work
from tests.daemon import connect

LIMIT_S: Final = 5.0
"""Without a reply for so long, a request is sent again."""
ASKED_MAX: Final = 8
"""Times a request is asked for before it is left unanswered, and so lost."""
TWICE_EVERY, AGAIN_EVERY = 23, 19
"""One of so many requests is sent twice at once, or once more after its reply."""
LINGER_MS: Final = 500
"""How long to listen, in the end, for replies that should not come."""


@dataclass(slots=True)
class _Open:
    """A request without a final reply."""

    work: Work
    name: str
    due_s: float = 0.0
    """When it is sent again."""
    asked: int = 0


class BareProducer:
    """Keeps a few requests in flight until its pace is over, then waits for those that are left."""

    def __init__(self, endpoint: str, name: str, seed: int, pace: Pace, history: HistoryWriter) -> None:
        self._endpoint = endpoint
        self._name = name
        self._seed = seed
        self._pace = pace
        self._history = history
        self._open: dict[str, _Open] = {}
        self._known: dict[str, Work] = {}
        """Whatever was asked for."""
        self._link = 0

    def run(self) -> None:
        """Produce, on one connection after the other."""
        with zmq.Context() as context:
            is_over = False
            while not is_over:
                self._link += 1
                with connect(context, self._endpoint) as socket:
                    is_over = self._run_link(socket)
                    self._receive_all(socket)
        self._history.add(Ended(at_s=time.monotonic()))

    def _run_link(self, socket: zmq.Socket[bytes]) -> bool:
        """Use a connection until it is lost, or until all is done, and tell which."""
        with socket.get_monitor_socket(zmq.EVENT_DISCONNECTED) as monitor:
            for request in list(self._open.values()):
                self._ask(socket, request)
            while self._open or not self._pace.is_over:
                self._pace.look()
                number = self._pace.next_number(len(self._open))
                if number is not None:
                    self._ask_new(socket, number)
                self._ask_again(socket)
                zmq.select([socket, monitor], [], [], self._pace.rest_s())
                self._receive_all(socket)
                if monitor.poll(0):
                    recv_monitor_message(monitor)
                    # What the socket holds already is read by the caller.
                    return False
            while socket.poll(LINGER_MS):
                self._receive_all(socket)
            return True

    def _ask_new(self, socket: zmq.Socket[bytes], number: int) -> None:
        request = _Open(make_work(self._seed, number), f"frame-{number}")
        self._open[request.name] = request
        self._known[request.name] = request.work
        self._ask(socket, request)
        if len(self._known) % TWICE_EVERY == 0:
            self._ask(socket, request)

    def _ask_again(self, socket: zmq.Socket[bytes]) -> None:
        """Send again what has waited for too long; what was asked for too often is left, and lost."""
        now_s = time.monotonic()
        for request in [one for one in self._open.values() if now_s >= one.due_s]:
            self._history.add(Unanswered(at_s=now_s, request=request.name))
            if request.asked >= ASKED_MAX:
                del self._open[request.name]
            else:
                self._ask(socket, request)

    def _ask(self, socket: zmq.Socket[bytes], request: _Open) -> None:
        work = request.work
        header: dict[str, Any] = {"v": 1, "id": request.name, "client": self._name, "outputs": work.outputs}
        if work.input is not None:
            header["input"] = work.input
        request.asked += 1
        request.due_s = time.monotonic() + LIMIT_S
        self._history.add(Asked(at_s=time.monotonic(), request=request.name, link=self._link))
        socket.send_multipart([msgpack.packb(header), work.payload])

    def _receive_all(self, socket: zmq.Socket[bytes]) -> None:
        while True:
            try:
                header, *pictures = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._take(socket, msgpack.unpackb(header), pictures)

    def _take(self, socket: zmq.Socket[bytes], reply: dict[str, Any], pictures: list[bytes]) -> None:
        name, at_s = reply["id"], time.monotonic()
        code = OK if reply["status"] == "ok" else reply["error"]["code"]
        fault = self._fault_of(name, reply["outputs"], pictures) if code == OK else ""
        trace = reply.get("trace", "")
        self._history.add(Answered(at_s=at_s, request=name, link=self._link, code=code, trace=trace, fault=fault))
        request = self._open.get(name)
        if request is None:
            return
        if code in ASKED_AGAIN:
            request.due_s = at_s + reply.get("retry_after_ms", 100) / 1000
            return
        del self._open[name]
        if int(name.removeprefix("frame-")) % AGAIN_EVERY == 0:
            self._ask(socket, request)

    def _fault_of(self, name: str, described: list[dict[str, Any]], pictures: list[bytes]) -> str:
        work = self._known.get(name)
        if work is None or len(described) != len(pictures):
            return f"{len(pictures)} pictures for {len(described)} described"
        pairs = zip(described, pictures, strict=True)
        return fault_of(work, [Got(Wanted(one["format"], one["width"], one["height"]), data) for one, data in pairs])
