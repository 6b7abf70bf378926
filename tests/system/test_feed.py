"""The feed of a real daemon: what happens is told within a second, once, and to whoever comes later too."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from omnishotd.client import Client
from tests.daemon import Daemon
from tests.numbered import numbered_jpeg
from tests.waiting import eventually

WITHIN_S = 10.0
OUTPUTS = [{"operations": [{"op": "resize", "width": 48, "height": 32, "fit": "fill"}], "quality": 90}]


class Reader:
    """A subscriber."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def subscribe(self, channel: str, **options: Any) -> dict[str, Any]:
        """Subscribe, and return what is answered."""
        self._connection.send(json.dumps({"type": "subscribe", "channel": channel, **options}))
        return self.next("subscribed")

    def next(self, kind: str, within_s: float = WITHIN_S) -> dict[str, Any]:
        """Wait for the next message of a type; others are passed over."""
        deadline_s = time.monotonic() + within_s
        while True:
            message: dict[str, Any] = json.loads(self._connection.recv(max(deadline_s - time.monotonic(), 0.001)))
            if message["type"] == kind:
                return message


@contextmanager
def reading(daemon: Daemon) -> Iterator[Reader]:
    """A connection to the feed."""
    url = daemon.control_url.replace("http", "ws") + "/ws"
    with connect(url, proxy=None, max_size=1 << 22) as connection:
        yield Reader(connection)


@pytest.mark.timeout(60)
def test_worker_killed_is_told_within_a_second_and_counted_once(daemon: Daemon) -> None:
    eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
    with reading(daemon) as events, reading(daemon) as services:
        events.subscribe("events")
        services.subscribe("services", interval_ms=60_000)
        services.next("services")
        victim = daemon.pids("encode-0")[0]
        began_s = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        told = events.next("events", within_s=1.0)["data"]
        state = services.next("services", within_s=1.0)["data"]
        took_s = time.monotonic() - began_s
        told_ready = events.next("events")["data"]

    assert took_s < 1.0
    assert (told["event"], told["service"]) == ("worker_exited", "encode-0")
    assert f"pid {victim}: SIGKILL" in told["detail"]
    assert (told_ready["event"], told_ready["service"]) == ("worker_ready", "encode-0")
    service = next(service for service in state["services"] if service["name"] == "encode-0")
    assert (service["state"], service["last_exit"]["signal"]) == ("backoff", "SIGKILL")
    assert daemon.metrics()["restarts"] == {"total": 1, "by_cause": {"crash": 1}}
    with reading(daemon) as late:
        snapshot = late.subscribe("events")["snapshot"]
    assert [note["event"] for note in snapshot if note["service"] == "encode-0"] == [
        "worker_ready", "worker_exited", "worker_ready",
    ]  # fmt: skip
    assert len({note["id"] for note in snapshot}) == len(snapshot)


@pytest.mark.timeout(60)
def test_frames_show_on_the_feed_within_a_second_and_always_add_up(daemon: Daemon) -> None:
    with reading(daemon) as reader, Client(endpoint=daemon.endpoint) as client:
        reader.subscribe("metrics", interval_ms=500)
        before = reader.next("metrics")
        for _ in range(50):
            client.process(numbered_jpeg(3, 96, 64), outputs=OUTPUTS)
        done_s = time.monotonic()
        seen = [before]
        while seen[-1]["data"]["frames"]["completed"] < 50:
            seen.append(reader.next("metrics"))

    assert time.monotonic() - done_s < 1.0
    assert [message["seq"] for message in seen] == list(range(1, len(seen) + 1))
    for message in seen:
        frames = message["data"]["frames"]
        ended = sum(frames[name] for name in ("completed", "failed", "rejected", "cancelled", "in_flight", "queued"))
        assert frames["received"] == ended
