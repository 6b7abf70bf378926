"""Frames lent by hand, as a program would that knows nothing of the client and means no good."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import numpy as np
import zmq

from tests.daemon import Daemon, connect
from tests.numbered import number_of, numbered_pixels

FOLDER: Final = Path("/dev/shm")  # noqa: S108 - the kernel's fixed place of POSIX shared memory
PRODUCER: Final = Path(__file__).parent / "system" / "lending_producer.py"
PREFIX: Final = "oms-test-"
NOBODY: Final = 65534
ANSWER_WITHIN_MS: Final = 20_000
SIDE: Final = 64
FRAME_BYTES: Final = SIDE * SIDE * 3
INPUT: Final = {"format": "raw", "width": SIDE, "height": SIDE, "layout": "RGB"}
RAW: Final = [{"format": "raw"}]


class Segment:
    """A segment of shared memory, with frames of `SIDE` x `SIDE` that carry these numbers, one after the other."""

    def __init__(self, numbers: Sequence[int] = (), *, side: int = SIDE, folder: Path = FOLDER, name: str = "") -> None:
        self.name = name or f"{PREFIX}{secrets.token_hex(6)}"
        self.path = folder / self.name
        self.side = side
        self.frame_bytes = side * side * 3
        self.path.write_bytes(b"".join(numbered_pixels(number, side, side).tobytes() for number in numbers))
        self.path.chmod(0o600)

    def place(self, index: int = 0) -> dict[str, Any]:
        """Say where a frame lies."""
        return {"segment": self.name, "offset": index * self.frame_bytes, "bytes": self.frame_bytes}

    def input(self) -> dict[str, Any]:
        """Say what a frame is."""
        return INPUT | {"width": self.side, "height": self.side}

    def cut(self, size: int = 0) -> None:
        """Truncate it."""
        os.truncate(self.path, size)

    def unlink(self) -> None:
        """Take the name away."""
        with suppress(FileNotFoundError):
            self.path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unlink()


class Borrowing:
    """A bare producer that lends."""

    def __init__(self, daemon: Daemon) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = connect(self._context, daemon.endpoint)
        self.socket.rcvtimeo = ANSWER_WITHIN_MS
        self._pings = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self._context.term()

    def send(self, request_id: str, lent: Any, *payload: bytes, **keys: Any) -> None:
        """Lend a frame of `INPUT`, to be given back as pixels, or what `keys` say."""
        header = {"v": 1, "id": request_id, "input": INPUT, "outputs": RAW, "lent": lent} | keys
        given = {key: value for key, value in header.items() if value is not None}
        self.socket.send_multipart([msgpack.packb(given), *payload])

    def receive(self) -> "Answer":
        """Wait for the next answer."""
        header, *pictures = self.socket.recv_multipart()
        return Answer(msgpack.unpackb(header), pictures)

    def ask(self, lent: Any, *payload: bytes, **keys: Any) -> "Answer":
        """Lend one frame and wait for its answer."""
        self.send("one", lent, *payload, **keys)
        return self.receive()

    def receive_all(self, count: int) -> dict[str, "Answer"]:
        """Wait for `count` answers, each of another request."""
        answers: dict[str, Answer] = {}
        for _ in range(count):
            answer = self.receive()
            assert answer.id not in answers, f"{answer.id} was answered twice"
            answers[answer.id] = answer
        return answers

    def ask_whether_read(self) -> list["Answer"]:
        """Wait until all that was sent before has been read; returns what was answered meanwhile."""
        self._pings += 1
        ping = f"ping-{self._pings}"
        self.socket.send(msgpack.packb({"v": 1, "op": "ping", "id": ping}))
        before = []
        while (answer := self.receive()).id != ping:
            before.append(answer)
        return before

    def is_silent(self) -> bool:
        """Whether nothing more has come by the time a ping is answered."""
        return self.ask_whether_read() == []


class Answer:
    """A reply."""

    def __init__(self, header: dict[str, Any], pictures: Sequence[bytes]) -> None:
        self.id = str(header["id"])
        self.header = header
        self.pictures = pictures

    @property
    def error(self) -> str:
        """`CODE: message` of a refusal; empty of a result."""
        error = self.header.get("error")
        return f"{error['code']}: {error['message']}" if error else ""

    @property
    def number(self) -> int:
        """The number that the one picture, raw pixels, carries. Fails for a refusal."""
        assert not self.error, f"{self.id}: {self.error}"
        (facts,), (pixels,) = self.header["outputs"], self.pictures
        return number_of(np.frombuffer(pixels, np.uint8).reshape(facts["height"], facts["width"], -1))


@contextmanager
def other_user(endpoint: str) -> Iterator[None]:
    """Have another user lend frames all the while, where there can be one; each of them must come back as it should."""
    uid = NOBODY if os.geteuid() == 0 else os.geteuid()
    program = subprocess.Popen(
        [sys.executable, "-P", str(PRODUCER), endpoint, str(uid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PRODUCER.parents[2])},
        text=True,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    with program:
        assert program.stdout.readline() == "serving\n"
        yield
        program.stdin.close()
        told = json.loads(program.stdout.read())
    assert told["failures"] == []
    assert told["served"] > 0


def workers(daemon: Daemon) -> list[int]:
    """List the stage workers."""
    return sorted(pid for stage in ("decode", "transform", "encode") for pid in daemon.pids(stage))


@contextmanager
def stopped(daemon: Daemon) -> Iterator[None]:
    """Have all workers stand still, so that what is given to them is not done yet."""
    pids = workers(daemon)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def restarts(daemon: Daemon) -> int:
    """How many processes were restarted."""
    return int(daemon.metrics()["restarts"]["total"])
