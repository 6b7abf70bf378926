"""A daemon played by the test: a real ROUTER in a thread, which greets by itself and else does what the test says."""

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import zmq

WITHIN_S = 10.0


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    identity: bytes
    header: dict[str, Any]
    payload: bytes | None

    @property
    def id(self) -> str:
        """Its name."""
        return str(self.header["id"])


Answer = Callable[[Seen], Sequence[bytes] | None]


def ok(seen: Seen, *pictures: bytes, facts: Mapping[str, Any] | None = None) -> list[bytes]:
    """A result; `facts` overrides what is said of each picture."""
    described = {"format": "jpeg", "width": 3, "height": 2, "quality": 80} | dict(facts or {})
    header = {
        "v": 1,
        "id": seen.id,
        "status": "ok",
        "input": {"format": "jpeg", "width": 30, "height": 20, "bytes": len(seen.payload or b"")},
        "outputs": [described | {"bytes": len(picture)} for picture in pictures],
        "timing_us": {"queue": 1, "decode": 2, "transform": 3, "encode": 4, "total": 11},
        "attempts": 1,
        "trace": "t-1",
        "a_key_of_tomorrow": True,
    }
    return [msgpack.packb(header), *pictures]


def info(seen: Seen) -> list[bytes]:
    """What a daemon says of itself."""
    header = {
        "v": 1,
        "id": seen.id,
        "status": "ok",
        "epoch": "e1",
        "version": "0.1.0",
        "presets": ["thumbnail"],
        "limits": {"max_side": 16383},
        "formats": {"input": ["jpeg", "raw"], "output": ["jpeg", "raw"]},
        "operations": ["resize"],
    }
    return [msgpack.packb(header)]


def refused(seen: Seen, code: str, message: str = "no", retry_after_ms: int | None = None) -> list[bytes]:
    """An error reply."""
    header: dict[str, Any] = {"v": 1, "id": seen.id, "status": "error", "error": {"code": code, "message": message}}
    if retry_after_ms is not None:
        header["retry_after_ms"] = retry_after_ms
    return [msgpack.packb(header)]


def echo(seen: Seen) -> list[bytes]:
    """A result whose one picture is what was sent."""
    return ok(seen, seen.payload or b"")


class ScriptedDaemon:
    """Bound to `endpoint` until closed. `answer` is asked first; what it leaves open, the test replies."""

    def __init__(
        self, endpoint: str, *, epoch: str = "e1", answer: Answer | None = None, frame_bytes_max: int = -1
    ) -> None:
        self.endpoint = endpoint
        self.epoch = epoch
        self.answer = answer
        self.seen: queue.Queue[Seen] = queue.Queue()
        self.is_deaf = False
        """Whether it leaves what arrives unread."""
        self._replies: queue.SimpleQueue[list[bytes]] = queue.SimpleQueue()
        self._is_closing = False
        self._woken_fd, self._wake_fd = os.pipe()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self._router = self._context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.LINGER, 0)
        self._router.setsockopt(zmq.MAXMSGSIZE, frame_bytes_max)
        self._router.setsockopt(zmq.RCVHWM, 1)
        self._router.bind(endpoint)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def take(self) -> Seen:
        """Wait for the next request that is no greeting."""
        return self.seen.get(timeout=WITHIN_S)

    def take_ids(self, count: int) -> list[str]:
        """Wait for `count` requests and return their ids in order of arrival."""
        return [self.take().id for _ in range(count)]

    def reply(self, seen: Seen, parts: Sequence[bytes]) -> None:
        """Send a reply, from any thread."""
        self._replies.put([seen.identity, *parts])
        os.write(self._wake_fd, b"\0")

    def stop_reading(self) -> None:
        """Leave everything from now on in the socket, as a daemon that hangs."""
        self.is_deaf = True
        os.write(self._wake_fd, b"\0")

    def close(self) -> None:
        """Unbind and end the thread."""
        self._is_closing = True
        with contextlib.suppress(OSError):
            os.write(self._wake_fd, b"\0")
        self._thread.join(WITHIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._woken_fd, zmq.POLLIN)
        while not self._is_closing:
            poller.register(self._router, 0 if self.is_deaf else zmq.POLLIN)
            ready = dict(poller.poll())
            if self._woken_fd in ready:
                os.read(self._woken_fd, 1)
            while not self._replies.empty():
                self._router.send_multipart(self._replies.get())
            if self._router in ready:
                self._receive(self._router.recv_multipart())
        self._router.close(linger=0)
        self._context.term()
        os.close(self._woken_fd)
        os.close(self._wake_fd)
        self._woken_fd = self._wake_fd = -1

    def _receive(self, parts: Sequence[bytes]) -> None:
        identity, header, *payload = parts
        seen = Seen(identity, msgpack.unpackb(header), payload[0] if payload else None)
        if seen.header.get("op") == "ping":
            pong = {"v": 1, "id": seen.id, "status": "ok", "epoch": self.epoch, "version": "0.1.0"}
            self._router.send_multipart([identity, msgpack.packb(pong)])
            return
        answered = self.answer(seen) if self.answer is not None else None
        if answered is not None:
            self._router.send_multipart([identity, *answered])
        self.seen.put(seen)
