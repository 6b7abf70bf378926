"""`python -m perf.outputs`: one request with five outputs against five requests with one each, through a real daemon.

What is counted are sets of five pictures, and the processor time that all of the daemon takes for one.
"""

import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]  # it has no annotations
import psutil
import zmq

from perf.command import processor_s, run_command
from perf.contender import MeasurementFailed
from perf.figures import ratios, spread
from perf.sources import QUALITY_IN
from perf.table import Table, plain
from tests.daemon import Daemon
from tests.photographs import photograph_jpeg

SIDES: Final = (800, 3200)
ROUNDS: Final = 5
SECONDS: Final = 3.0
IN_FLIGHT: Final = 16
REPLY_WITHIN_MS: Final = 30_000

Outputs = list[dict[str, Any]]


def _resized(*sides: int) -> Outputs:
    return [
        {"operations": [{"op": "auto_orient"}, {"op": "resize", "width": side, "height": side}], "format": "jpeg"}
        for side in sides
    ]


SETS: Final[dict[str, Outputs]] = {
    "100, 150, 200, 300, 400 px": _resized(100, 150, 200, 300, 400),
    "200, 400, 600, 800, 1600 px": _resized(200, 400, 600, 800, 1600),
}
"""Thumbnails, for all of which the decoder may scale; and a page's pictures, of which the largest forbids it to all."""


class Producer:
    """A bare DEALER that asks for one thing after the other and keeps a number of requests in flight."""

    def __init__(self, socket: zmq.Socket[bytes], payload: bytes, requests: Sequence[Outputs]) -> None:
        self._socket = socket
        self._payload = payload
        self._requests = requests
        self._prefix = uuid.uuid4().hex[:8]
        self._sent = 0

    def send(self) -> None:
        """Submit the next request."""
        request_id = f"{self._prefix}-{self._sent}"
        outputs = self._requests[self._sent % len(self._requests)]
        header = msgpack.packb({"v": 1, "id": request_id, "outputs": outputs})
        self._socket.send_multipart([header, self._payload], copy=False)
        self._sent += 1

    def receive(self) -> None:
        """Wait for a reply. Raises `MeasurementFailed`."""
        try:
            header = self._socket.recv_multipart(copy=False)[0]
        except zmq.Again:
            raise MeasurementFailed(f"no reply within {REPLY_WITHIN_MS // 1000} s") from None
        reply: dict[str, Any] = msgpack.unpackb(header.buffer)
        if reply["status"] != "ok":
            raise MeasurementFailed(f"the daemon answered {reply['error']['code']}: {reply['error']['message']}")


class Bench:
    """A daemon, and a connection to it."""

    def __init__(self, daemon: Daemon, socket: zmq.Socket[bytes]) -> None:
        self._daemon = daemon
        self._socket = socket

    def measure(self, payload: bytes, wanted: Outputs, *, together: bool) -> tuple[float, float]:
        """Sets a second, and milliseconds of the daemon's processor time for one. Raises `MeasurementFailed`."""
        requests = [wanted] if together else [[output] for output in wanted]
        producer = Producer(self._socket, payload, requests)
        for _ in range(IN_FLIGHT):
            producer.send()
        for _ in range(IN_FLIGHT):
            producer.receive()
            producer.send()
        cpu_s, began_s, received = self._processor_s(), time.perf_counter(), 0
        while time.perf_counter() < began_s + SECONDS:
            producer.receive()
            producer.send()
            received += 1
        took_s, cpu_s = time.perf_counter() - began_s, self._processor_s() - cpu_s
        for _ in range(IN_FLIGHT):
            producer.receive()
        sets = received / len(requests)
        return sets / took_s, cpu_s / sets * 1e3

    def _processor_s(self) -> float:
        return sum(processor_s(psutil.Process(pid)) for pid in self._daemon.all_pids())


def measure(rounds: int) -> None:
    """Measure with a daemon of its own, and print the table."""
    with (
        TemporaryDirectory(prefix="oms-") as folder,
        Daemon(Path(folder)) as daemon,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as socket,
    ):
        socket.linger = 0
        socket.rcvtimeo = REPLY_WITHIN_MS
        socket.connect(daemon.endpoint)
        bench = Bench(daemon, socket)
        rows = tuple(_row(bench, side, name, rounds) for side in SIDES for name in SETS)
    columns = ("", "five pictures", "one request", "five", "one / five", "one request, ms", "five, ms", "five / one")
    print(plain(Table("sets of five pictures a second, and processor time of one", columns, rows)))


def _row(bench: Bench, side: int, name: str, rounds: int) -> tuple[str, ...]:
    payload = photograph_jpeg(side, QUALITY_IN)
    seen: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for number in range(rounds):
        for together in (True, False) if number % 2 else (False, True):
            seen[together].append(bench.measure(payload, SETS[name], together=together))
    cells = [f"{side} px", name]
    for index in range(2):
        one, five = ([figures[index] for figures in seen[together]] for together in (True, False))
        # Of rates the larger is the better one, of times the smaller.
        gain = ratios(one, five) if index == 0 else ratios(five, one)
        cells += [f"{spread(one).median:.1f}", f"{spread(five).median:.1f}"]
        cells += [f"{gain.median:.2f} ({gain.lowest:.2f}..{gain.highest:.2f})"]
    return tuple(cells)


if __name__ == "__main__":
    sys.exit(run_command("perf.outputs", __doc__, ROUNDS, measure))
