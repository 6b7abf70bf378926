"""SIGTERM while producers go on sending: every frame they sent has one answer, its picture or the refusal."""

import signal
import threading
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import psutil
import pytest
import zmq

from tests.daemon import Daemon, connect
from tests.neighbour import OUTPUTS
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.waiting import all_ended, eventually

PRODUCERS = 4
IN_FLIGHT = 16
ANSWER_WITHIN_MS = 20_000


class Producer:
    """Keeps so many frames in flight until it is told that the daemon stops; then waits for what is still out."""

    def __init__(self, daemon: Daemon, name: str) -> None:
        self.answers: dict[int, list[str]] = {}
        """By the number of each frame that was sent: what came back."""
        self.completed = 0
        self._endpoint = daemon.endpoint
        self._name = name
        # All the same size, made before any is sent: the daemon would keep up with the making.
        self._pictures = [numbered_jpeg(number, 1600, 1200) for number in range(IN_FLIGHT)]
        self.thread = threading.Thread(target=self._produce)
        self.thread.start()

    def _produce(self) -> None:
        is_refused = False
        with zmq.Context() as context, connect(context, self._endpoint) as socket:
            socket.rcvtimeo = ANSWER_WITHIN_MS
            while not is_refused or self._out:
                while not is_refused and self._out < IN_FLIGHT:
                    self._ask(socket, len(self.answers))
                is_refused |= self._take(socket.recv_multipart()) == "SHUTTING_DOWN"
            # Whatever still came would be a second answer.
            self._take_rest(socket)

    @property
    def _out(self) -> int:
        return sum(not came for came in self.answers.values())

    def _ask(self, socket: zmq.Socket[bytes], number: int) -> None:
        header = {"v": 1, "id": str(number), "client": self._name, "outputs": OUTPUTS}
        self.answers[number] = []
        socket.send_multipart([msgpack.packb(header), self._pictures[number % IN_FLIGHT]])

    def _take(self, parts: list[bytes]) -> str:
        reply: dict[str, Any] = msgpack.unpackb(parts[0])
        number = int(reply["id"])
        if reply["status"] == "ok":
            word = "ok" if number_of_jpeg(parts[1]) == number % IN_FLIGHT else "another's picture"
            self.completed += 1
        else:
            word = reply["error"]["code"]
        self.answers[number].append(word)
        return word

    def _take_rest(self, socket: zmq.Socket[bytes]) -> None:
        while socket.poll(200):
            self._take(socket.recv_multipart())


@pytest.mark.timeout(90)
def test_sigterm_under_load_leaves_no_frame_without_its_one_answer(runtime_directory: Path) -> None:
    with Daemon(runtime_directory) as daemon:
        processes = [psutil.Process(pid) for pid in daemon.all_pids()]
        producers = [Producer(daemon, f"producer-{number}") for number in range(PRODUCERS)]
        eventually(
            lambda: min(producer.completed for producer in producers) >= IN_FLIGHT,
            within_s=20.0,
            what="all producers are served",
        )
        daemon.process.send_signal(signal.SIGTERM)
        for producer in producers:
            producer.thread.join(30)
        status = daemon.wait()

    for producer in producers:
        assert not producer.thread.is_alive()
        outcomes = [came for came in producer.answers.values() if came != ["ok"]]
        assert outcomes == [["SHUTTING_DOWN"]] * len(outcomes)
        assert outcomes, "it went on sending until it was refused"
    assert status == 0
    assert all_ended(processes)
    assert list(runtime_directory.glob("*.sock")) == []
