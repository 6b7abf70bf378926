"""Frames that kill their workers, among many that do not: they are found out, and nobody else suffers.

The fault is the test's: a `sitecustomize` on PYTHONPATH, which every child of the daemon runs before anything else,
makes workers die of what carries a mark.
"""

import collections
import os
import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from omnishotd.client import Client, Poison, Result
from tests.daemon import Daemon
from tests.numbered import number_of, number_of_jpeg, numbered_jpeg, numbered_pixels
from tests.waiting import eventually

FRAMES: Final = 1000
POISONOUS: Final = 50
IN_FLIGHT: Final = 16
ANSWER_WITHIN_S: Final = 30.0
ASK_EVERY_S: Final = 0.05
OUTPUTS: Final = [{"operations": [{"op": "resize", "width": 96, "height": 64, "fit": "fill"}], "quality": 90}]
WIDTH, HEIGHT = 64, 48
MARK: Final = b"kill whoever touches this"

FAULT: Final = f"""
import sys

if sys.orig_argv[-4] == "stages.worker":
    import ctypes

    from stages import decode, transform

    def guarded(honest):
        def deadly(step, ground, *more):
            # Where it runs to be warm there is no ground yet, and no poison.
            if not isinstance(ground, memoryview) and {MARK!r} in bytes(ground.at(step.source)):
                ctypes.string_at(0)
            return honest(step, ground, *more)

        return deadly

    decode.decode = guarded(decode.decode)
    transform.transform = guarded(transform.transform)
"""


class Watch:
    """Asks whether frames are taken, all the time."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._is_over = threading.Event()
        self.answers: collections.Counter[str] = collections.Counter()
        """By status, and what was missing."""

    @contextmanager
    def on(self) -> Iterator[None]:
        """Ask from a thread."""
        thread = threading.Thread(target=self._ask)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join(10.0)

    def _ask(self) -> None:
        while not self._is_over.wait(ASK_EVERY_S):
            try:
                status, told = self._daemon.get("/health/ready")
            except OSError as error:
                self.answers[str(error)] += 1
            else:
                self.answers[f"{status} {told['missing']}"] += 1


def submit(client: Client, number: int, *, is_poison: bool) -> "Future[Result]":
    """Send one frame: pixels to the transform stage now and then, else a JPEG to the decoder."""
    if number % 5 == 0:
        pixels = numbered_pixels(number, WIDTH, HEIGHT).tobytes()
        # As long as it must be: the mark lies over the last pixels, which carry no bit that is read.
        payload = pixels[: -len(MARK)] + MARK if is_poison else pixels
        raw = {"format": "raw", "width": WIDTH, "height": HEIGHT, "layout": "RGB"}
        return client.submit(payload, outputs=OUTPUTS, input=raw)
    jpeg = numbered_jpeg(number, 200, 200)
    # What follows a JPEG's end is no part of the picture.
    return client.submit(jpeg + MARK + b"%d" % number if is_poison else jpeg, outputs=OUTPUTS)


def outcome(number: int, future: "Future[Result]") -> str:
    """Wait for one frame: `ok`, `POISON`, or the picture of another."""
    try:
        result = future.result(ANSWER_WITHIN_S)
    except Poison:
        return "POISON"
    found = number_of_jpeg(result.outputs[0].data)
    return "ok" if found == number else f"the picture of {found} in place of {number}"


def submit_all(client: Client, poisonous: set[int]) -> dict[int, str]:
    """Send all frames, a few in flight at a time. Returns what became of each."""
    outcomes: dict[int, str] = {}
    in_flight: collections.deque[tuple[int, Future[Result]]] = collections.deque()
    for number in range(FRAMES):
        if len(in_flight) >= IN_FLIGHT:
            oldest, future = in_flight.popleft()
            outcomes[oldest] = outcome(oldest, future)
        in_flight.append((number, submit(client, number, is_poison=number in poisonous)))
    return outcomes | {number: outcome(number, future) for number, future in in_flight}


@pytest.mark.timeout(240)
def test_50_poisonous_frames_of_1000_are_found_out_and_nobody_else_suffers(
    runtime_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(FAULT, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    poisonous = set(random.Random(50).sample(range(FRAMES), POISONOUS))
    assert number_of(numbered_pixels(5, WIDTH, HEIGHT)) == 5

    with Daemon(runtime_directory) as daemon:
        eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
        processes = len(daemon.all_pids())
        watch = Watch(daemon)
        with Client(endpoint=daemon.endpoint, timeout_s=ANSWER_WITHIN_S) as client, watch.on():
            outcomes = submit_all(client, poisonous)
            eventually(lambda: len(daemon.all_pids()) == processes, within_s=5.0, what="no pool is given up")
            alive = sorted(daemon.all_pids())
            again = {number: outcome(number, submit(client, number, is_poison=True)) for number in poisonous}
        frames = daemon.frames_at_rest(FRAMES)
        restarts = daemon.metrics()["restarts"]

        assert sorted(daemon.all_pids()) == alive, "nobody died of what was known already"
    assert outcomes == {number: "POISON" if number in poisonous else "ok" for number in range(FRAMES)}
    assert again == dict.fromkeys(poisonous, "POISON")
    assert frames["completed"] == FRAMES - POISONOUS
    # Two that came in one message share their first death. And a worker may die before its last report has left it:
    # that death is put down to the frames of that report, and the guilty one has two still to come.
    assert POISONOUS < restarts["total"] <= 3 * POISONOUS
    assert set(watch.answers) == {"200 []"}
    assert watch.answers.total() > 50
