"""Workers that die at the worst moment, scribble over shared memory or forge answers: the broker is not taken in."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import pytest
import zmq

from tests.daemon import Daemon, connect
from tests.neighbour import OUTPUTS
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.system.saboteur import DEATHS, FORGERIES, ORDERS, ORDERS_FILE, SCRIBBLE
from tests.waiting import eventually

POOLS = "".join(f"{{stages=['{stage}'],workers=1}}," for stage in ("decode", "transform", "encode"))
STAGE_BY_STAGE = (f"pipeline.pools=[{POOLS}]", "pipeline.whole_frame_pixels_max=0")
FRAMES = 16


class Sabotage:
    """A daemon with a saboteur in its first workers."""

    def __init__(self, orders: Path, daemon: Daemon) -> None:
        self.daemon = daemon
        self._orders = orders

    def order(self, order: str) -> None:
        """Have this done with the next frame."""
        with self._orders.open("r+b") as file:
            file.seek(ORDERS.index(order))
            file.write(b"\x01")

    def is_done(self, order: str) -> bool:
        """Whether it was."""
        return self._orders.read_bytes()[ORDERS.index(order)] == 0


@pytest.fixture
def sabotage_with(
    daemon_with: Callable[..., Daemon], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Sabotage]:
    """Starts a daemon with a saboteur in it."""

    def start(*assignments: str) -> Sabotage:
        shutil.copy(Path(__file__).parent / "saboteur.py", tmp_path / "sitecustomize.py")
        (tmp_path / ORDERS_FILE).write_bytes(bytes(len(ORDERS)))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
        return Sabotage(tmp_path / ORDERS_FILE, daemon_with(*assignments))

    return start


def is_complete(daemon: Daemon) -> bool:
    """Whether no service is missing."""
    services = daemon.get("/api/services/health")[1]["services"]
    return bool(services) and all(service["state"] == "ready" for service in services)


def exchange(daemon: Daemon) -> list[dict[str, Any]]:
    """Have frames in flight together; return the replies, each ok one with its own picture."""
    replies: list[dict[str, Any]] = []
    with zmq.Context() as context, connect(context, daemon.endpoint) as socket:
        socket.rcvtimeo = 20_000
        for number in range(FRAMES):
            header = {"v": 1, "id": str(number), "outputs": OUTPUTS}
            socket.send_multipart([msgpack.packb(header), numbered_jpeg(number, 640, 480)])
        for _ in range(FRAMES):
            parts = socket.recv_multipart()
            replies.append(msgpack.unpackb(parts[0]))
            if replies[-1]["status"] == "ok":
                assert number_of_jpeg(parts[1]) == int(replies[-1]["id"])
        # Anything more would be a second answer.
        assert socket.poll(100) == 0
    return replies


@pytest.mark.timeout(90)
def test_worker_that_dies_at_any_point_of_any_stage_costs_a_second_attempt_and_nothing_else(
    sabotage_with: Callable[..., Sabotage],
) -> None:
    sabotage = sabotage_with(*STAGE_BY_STAGE, "supervisor.restarts_max=100")
    daemon = sabotage.daemon
    retried = 0
    for number, order in enumerate(DEATHS):
        sabotage.order(order)
        replies = exchange(daemon)

        assert sabotage.is_done(order)
        assert [reply["status"] for reply in replies] == ["ok"] * FRAMES, order
        retried += max(reply["attempts"] for reply in replies) == 2
        daemon.frames_at_rest((number + 1) * FRAMES)

    eventually(
        lambda: daemon.metrics()["restarts"]["by_cause"].get("exit") == len(DEATHS),
        within_s=20.0,
        what="all have been started again, each once",
    )
    # Not each time: who dies before the answer to a canary has left is thought to have died of that.
    assert retried > len(DEATHS) // 2


@pytest.mark.timeout(60)
def test_worker_that_scribbles_over_the_arena_harms_the_frames_in_it_and_none_that_follow(
    sabotage_with: Callable[..., Sabotage],
) -> None:
    """One that was taken over can spoil what lies in the arena at that moment: nothing of that is believed."""
    sabotage = sabotage_with(*STAGE_BY_STAGE)
    daemon = sabotage.daemon
    before = daemon.all_pids()
    sabotage.order(SCRIBBLE)
    with zmq.Context() as context, connect(context, daemon.endpoint) as socket:
        socket.rcvtimeo = 20_000
        for number in range(FRAMES):
            header = {"v": 1, "id": str(number), "outputs": OUTPUTS}
            socket.send_multipart([msgpack.packb(header), numbered_jpeg(number, 640, 480)])
        replies = [msgpack.unpackb(socket.recv_multipart()[0]) for _ in range(FRAMES)]

    assert sabotage.is_done(SCRIBBLE)
    codes = {reply["error"]["code"] for reply in replies if reply["status"] == "error"}
    assert codes <= {"BAD_IMAGE", "UNSUPPORTED_FORMAT", "INTERNAL"}
    assert sorted(int(reply["id"]) for reply in replies) == list(range(FRAMES))
    daemon.frames_at_rest(FRAMES)
    assert [reply["status"] for reply in exchange(daemon)] == ["ok"] * FRAMES
    assert daemon.all_pids() == before


OUTCOMES = {
    "answer twice": {"ok"},
    "answer for others": {"ok", "INTERNAL"},
    "introduce itself as others": {"ok"},
    "another size": {"ok", "INTERNAL"},
    "a size that nobody asked for": {"ok", "INTERNAL"},
    "another output": {"ok", "INTERNAL"},
    "no times": {"ok", "INTERNAL"},
    "forget an answer": {"ok", "TIMEOUT"},
    "no message": {"ok"},
}
"""What the frames may come to. Those that shared a message with one of no answer are tried again, and it with them."""


@pytest.mark.timeout(90)
def test_worker_that_forges_its_answers_spoils_at_most_what_it_was_given(
    sabotage_with: Callable[..., Sabotage],
) -> None:
    sabotage = sabotage_with("pipeline.stage_timeout_ms=1000", "supervisor.restarts_max=100")
    daemon = sabotage.daemon
    broker = daemon.pids("broker")
    stale = received = 0
    for order in FORGERIES:
        eventually(lambda: is_complete(daemon), within_s=10.0, what="all workers are there")
        sabotage.order(order)
        codes: set[str] = set()
        # On a busy machine another worker may be quicker, and do all of them.
        while not sabotage.is_done(order):
            received += FRAMES
            codes |= {reply["error"]["code"] if "error" in reply else "ok" for reply in exchange(daemon)}

        assert codes <= OUTCOMES[order], order
        frames = daemon.frames_at_rest(received)
        if order in {"answer twice", "answer for others"}:
            assert frames["stale_answers"] > stale, order
        stale = frames["stale_answers"]
    assert set(OUTCOMES) == set(FORGERIES)
    assert daemon.metrics()["errors"]["INTERNAL"] >= 3
    # Who kept silent about a frame, and who said what is no message, or a hello for others.
    killed = {"time_limit": 1, "protocol": 2}
    eventually(lambda: daemon.metrics()["restarts"]["by_cause"] == killed, within_s=10.0, what="these were killed")
    assert daemon.pids("broker") == broker
