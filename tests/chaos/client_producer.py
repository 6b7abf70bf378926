"""A producer that uses the client library: it must see one reply for each request, whatever happens to the daemon."""

import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Final

from omnishotd.client import (
    Client,
    ClientOptions,
    ConnectionLost,
    FrameRefused,
    Output,
    RequestTimeout,
    Result,
    UnreadableReply,
)
from tests.chaos.history import OK, Answered, Asked, Ended, HistoryWriter, Unanswered
from tests.chaos.ledger import ASKED_AGAIN
from tests.chaos.pace import IN_FLIGHT_MAX, Pace
from tests.chaos.workload import Got, Wanted, Work, fault_of, make_work

LIMIT_S: Final = 8.0
"""Of the library, for one request; then it is asked for again."""
ASKED_MAX: Final = 5
"""Times a request is asked for before it is left unanswered, and so lost."""


@dataclass(slots=True)
class _Open:
    """A request without a final reply."""

    work: Work
    name: str
    asked: int = 1


class ClientProducer:
    """Keeps a few requests in flight until its pace is over, then waits for those that are left."""

    def __init__(self, endpoint: str, name: str, seed: int, pace: Pace, history: HistoryWriter) -> None:
        # Room for requests that are given up by us and still counted by the library.
        options: ClientOptions = {"name": name, "timeout_s": LIMIT_S, "in_flight_max": 4 * IN_FLIGHT_MAX}
        self._client = Client(endpoint, **options)
        self._seed = seed
        self._pace = pace
        self._history = history
        self._open: dict[Future[Result], _Open] = {}
        self._ended_s: dict[Future[Result], float] = {}
        """When each of them ended, as the library's own thread tells."""
        self._timeouts = 0

    def run(self) -> None:
        """Produce."""
        with self._client:
            while self._open or not self._pace.is_over:
                self._pace.look()
                number = self._pace.next_number(len(self._open))
                if number is not None:
                    work = make_work(self._seed, number)
                    self._ask(_Open(work, f"frame-{number}"))
                self._collect()
            counters = self._client.counters()
        # A request that is asked again after our own limit leaves two replies that nobody waits for.
        ignored_max = counters.resent + counters.links + 2 * self._timeouts
        self._history.add(Ended(at_s=time.monotonic(), ignored=counters.replies_ignored, ignored_max=ignored_max))

    def _ask(self, request: _Open) -> None:
        work = request.work
        self._history.add(Asked(at_s=time.monotonic(), request=request.name, link=0))
        future = self._client.submit(
            work.payload, id=request.name, outputs=list[Output | dict[str, object]](work.outputs), input=work.input
        )
        self._open[future] = request
        future.add_done_callback(self._note_time)

    def _note_time(self, future: "Future[Result]") -> None:
        self._ended_s[future] = time.monotonic()

    def _collect(self) -> None:
        """Take note of the requests that have ended since the last time; wait for one if nothing else is due."""
        ended, _ = wait(self._open, timeout=self._pace.rest_s(), return_when=FIRST_COMPLETED)
        for future in ended:
            request = self._open.pop(future)
            # Whoever waits for a future may be woken before its callbacks are called.
            is_final = self._note(request, future, self._ended_s.pop(future, time.monotonic()))
            if not is_final and request.asked < ASKED_MAX:
                request.asked += 1
                self._ask(request)

    def _note(self, request: _Open, future: "Future[Result]", at_s: float) -> bool:
        """Write down how a request ended. Returns whether that was final."""
        try:
            result = future.result()
        except FrameRefused as refused:
            self._answered(request, at_s, refused.code)
            return refused.code not in ASKED_AGAIN
        except (RequestTimeout, ConnectionLost):
            self._timeouts += 1
            self._history.add(Unanswered(at_s=at_s, request=request.name))
            return False
        except UnreadableReply as unreadable:
            self._answered(request, at_s, OK, fault=str(unreadable))
            return True
        pictures = [Got(Wanted(one.format, one.width, one.height), one.data) for one in result.outputs]
        self._answered(request, at_s, OK, result.trace, fault_of(request.work, pictures))
        return True

    def _answered(self, request: _Open, at_s: float, code: str, trace: str = "", fault: str = "") -> None:
        self._history.add(Answered(at_s=at_s, request=request.name, link=0, code=code, trace=trace, fault=fault))
