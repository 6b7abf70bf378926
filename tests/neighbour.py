"""A well-behaved producer beside whatever a test does to the daemon: one frame after the other, each answer checked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from omnishotd.client import Client
from tests.daemon import Daemon
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.waiting import eventually

OUTPUTS: Final = [{"operations": [{"op": "resize", "width": 96, "height": 64, "fit": "fill"}], "quality": 90}]


class Neighbour:
    """Counts the frames that came back with their own picture, and keeps what went wrong."""

    def __init__(self, endpoint: str, answer_within_s: float) -> None:
        self.served = 0
        self.failures: list[BaseException] = []
        self._endpoint = endpoint
        self._answer_within_s = answer_within_s
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._produce)

    def begin(self) -> None:
        """Begin to ask; returns when the first frame came back."""
        self._thread.start()
        self.is_served_again(1)

    def end(self) -> None:
        """Ask no more. Fails if anything did."""
        self._is_over.set()
        self._thread.join(2 * self._answer_within_s)
        assert self.failures == []
        assert not self._thread.is_alive()

    def is_served_again(self, frames: int = 20) -> None:
        """Wait until so many more frames came back."""
        reached = self.served + frames
        eventually(
            lambda: self.served >= reached or self.failures, within_s=20.0, what=f"a neighbour gets {frames} frames"
        )
        assert self.failures == []

    def _produce(self) -> None:
        try:
            with Client(endpoint=self._endpoint) as client:
                while not self._is_over.is_set():
                    number = self.served % 1000
                    result = client.process(
                        numbered_jpeg(number, 320, 240), outputs=OUTPUTS, timeout_s=self._answer_within_s
                    )
                    assert number_of_jpeg(result.outputs[0].data) == number
                    self.served += 1
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            self.failures.append(error)


@contextmanager
def neighbour(daemon: Daemon, answer_within_s: float = 10.0) -> Iterator[Neighbour]:
    """Have a neighbour beside what is done here."""
    one = Neighbour(daemon.endpoint, answer_within_s)
    one.begin()
    try:
        yield one
    finally:
        one.end()
