"""Hostile pictures of every format among good ones: the right answer to each, and the daemon as it was before."""

import io
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import psutil
import pytest
from PIL import Image

from omnishotd.client import Client, FrameRefused, Result
from tests.daemon import Daemon
from tests.hostile.collection import hostile_pictures
from tests.hostile.picture import OK, Hostile
from tests.numbered import number_of, numbered_pixels
from tests.waiting import eventually

MIB: Final = 1 << 20
LEFT_BYTES_MAX: Final = 64 * MIB
"""Of all processes together."""
REFUSED_WITHIN_S: Final = 0.05
TRIES: Final = 5
"""The best of so many counts: the machine may be busy with other things, a slow refusal is slow each time."""
IN_FLIGHT: Final = 6

SMALL: Final[list[dict[str, Any]]] = [{"op": "resize", "width": 96, "height": 64, "fit": "fill"}]
OUTPUTS: Final = [{"operations": SMALL, "format": "raw"}, {"operations": SMALL, "format": "jpeg", "metadata": "keep"}]
"""One whose pixels are looked at, and one for which the metadata are read."""
GOOD: Final[dict[str, dict[str, Any]]] = {
    "JPEG": {"quality": 90},
    "PNG": {},
    "WEBP": {"quality": 90, "method": 0},
    "AVIF": {"quality": 80, "speed": 10},
    "GIF": {},
}


def numbered_file(number: int, kind: str) -> bytes:
    """A good picture of 320 x 240 pixels that carries `number`."""
    stream = io.BytesIO()
    Image.fromarray(numbered_pixels(number, 320, 240)).save(stream, kind, **GOOD[kind])
    return stream.getvalue()


def good_frames() -> Iterator[tuple[int, bytes]]:
    """Numbers and the pictures that carry them, of all formats by turns."""
    for number in range(1 << 16):
        yield number, numbered_file(number, list(GOOD)[number % len(GOOD)])


class Account:
    """What was sent, and what is wrong with the answers."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._frames = good_frames()
        self._hostile: list[tuple[Hostile, Future[Result]]] = []
        self._good: list[tuple[int, Future[Result]]] = []
        self.wrong: list[str] = []
        self.counts = {"hostile": 0, "good": 0}

    def send(self, picture: Hostile) -> None:
        """Send a hostile picture, and a good one behind it."""
        options: dict[str, Any] = {"page": picture.page} if picture.page else {}
        self._hostile.append((picture, self._client.submit(picture.data, outputs=OUTPUTS, **options)))
        self.send_good()
        if len(self._hostile) >= IN_FLIGHT:
            self.settle()

    def send_good(self) -> None:
        """Send a good picture."""
        number, data = next(self._frames)
        self._good.append((number, self._client.submit(data, outputs=OUTPUTS)))

    def settle(self) -> None:
        """Wait for all answers, and look at them."""
        for picture, future in self._hostile:
            self._look(picture, future)
        for number, future in self._good:
            if number_of(future.result(30).outputs[0].array()) != number:
                self.wrong.append(f"good frame {number} came back as another")
        self.counts["hostile"] += len(self._hostile)
        self.counts["good"] += len(self._good)
        self._hostile.clear()
        self._good.clear()

    def _look(self, picture: Hostile, future: Future[Result]) -> None:
        allowed = " or ".join(sorted(picture.answers))
        try:
            result = future.result(30)
        except FrameRefused as refusal:
            if refusal.code not in picture.answers:
                self.wrong.append(f"{picture.name}: {refusal}, not {allowed}")
            return
        size = result.input.width, result.input.height
        if OK not in picture.answers or size != picture.size:
            self.wrong.append(f"{picture.name}: ok, {size[0]} x {size[1]}, not {allowed} {picture.size or ''}")


@contextmanager
def account(daemon: Daemon) -> Iterator[Account]:
    """An account whose frames have all been answered at the end."""
    with Client(endpoint=daemon.endpoint, timeout_s=30) as client:
        one = Account(client)
        yield one
        one.settle()


def resident_bytes(daemon: Daemon) -> int:
    """RSS of all processes, the pages of the arena that each has touched among it."""
    return sum(psutil.Process(pid).memory_info().rss for pid in daemon.all_pids())


@pytest.mark.timeout(300)
def test_hostile_pictures_among_good_ones_get_their_answers_and_leave_no_trace(daemon: Daemon) -> None:
    with account(daemon) as told:
        # All workers know all that they will ever need to.
        for _ in range(20 * len(GOOD)):
            told.send_good()
            told.settle()
        processes, before = daemon.all_pids(), resident_bytes(daemon)
        for picture in hostile_pictures():
            told.send(picture)

    assert not told.wrong, "\n".join(told.wrong)
    assert told.counts["hostile"] >= 60
    assert daemon.all_pids() == processes
    daemon.frames_at_rest(sum(told.counts.values()))
    eventually(
        lambda: resident_bytes(daemon) - before <= LEFT_BYTES_MAX,
        within_s=15.0,
        what="all processes together hold about what they did before",
    )
    left_mib = (resident_bytes(daemon) - before) / MIB
    print(f"{told.counts['hostile']} hostile pictures, {left_mib:.0f} MiB left")  # noqa: T201  # seen with -s


@pytest.mark.timeout(120)
def test_pictures_too_large_are_refused_from_their_headers_at_once(daemon: Daemon) -> None:
    pictures = [picture for picture in hostile_pictures() if picture.is_refused_by_size]
    slowest_s: dict[str, float] = {}
    with Client(endpoint=daemon.endpoint) as client:
        for picture in pictures:
            slowest_s[picture.name] = min(refused_after_s(client, picture) for _ in range(TRIES))

    name = max(slowest_s, key=lambda name: slowest_s[name])
    print(f"{len(pictures)} refused by size, slowest {name}: {slowest_s[name] * 1e3:.1f} ms")  # noqa: T201  # seen with -s
    assert len(pictures) >= 20
    assert slowest_s[name] <= REFUSED_WITHIN_S, name
    assert daemon.metrics()["stages"]["decode"]["completed"] == 0
    daemon.frames_at_rest(TRIES * len(pictures))


def refused_after_s(client: Client, picture: Hostile) -> float:
    """Time from sending a picture to its refusal."""
    options: dict[str, Any] = {"page": picture.page} if picture.page else {}
    began_s = time.perf_counter()
    with pytest.raises(FrameRefused) as caught:
        client.process(picture.data, outputs=OUTPUTS, **options)
    took_s = time.perf_counter() - began_s
    assert caught.value.code in picture.answers, picture.name
    return took_s


@pytest.mark.parametrize("kind", GOOD)
def test_numbered_file_carries_its_number(kind: str) -> None:
    """The good frames are what the tests above take them for."""
    image = Image.open(io.BytesIO(numbered_file(12_345, kind))).convert("RGB")

    assert number_of(np.asarray(image)) == 12_345
