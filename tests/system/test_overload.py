"""More than the daemon can do: the modest are served, the greedy are refused, and nothing grows without end."""

import os
import resource
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import psutil
import pytest
import zmq

from perf.child import Child
from perf.messages import CrowdOrder, CrowdRun, Word
from perf.thumbnails import picture_files
from tests.daemon import Daemon, connect
from tests.neighbour import OUTPUTS, neighbour
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.waiting import eventually

WITHIN_MS = 30_000
MODEST, IDLE = 798, 200
DESCRIPTORS = 2048
"""Of a daemon that shall run short of them."""
KNOCKS = 2500
FLOOD_S = 4.0
GROWTH_BYTES_MAX = 400 << 20
"""What a flood may add to the broker: a full queue, a backlog, remembered replies, and the arena's pages."""

KNOCKER = """
import socket, sys
guests = []
for _ in range(int(sys.argv[2])):
    guest = socket.socket(socket.AF_UNIX)
    try:
        guest.connect(sys.argv[1])
    except OSError:
        guest.close()
    else:
        guests.append(guest)
print(len(guests), flush=True)
sys.stdin.readline()
"""
"""Opens as many connections as it gets and keeps them until it is told to end."""


@pytest.fixture(autouse=True)
def _many_descriptors() -> Iterator[None]:
    """A thousand producers in one process need more than it is given by default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def picture_file() -> Iterator[str]:
    with picture_files([400]) as files:
        yield files[400]


def let_loose(stack: ExitStack, *orders: CrowdOrder) -> list[Child]:
    """Start a process for each, and have all begin when all are connected."""
    children = [stack.enter_context(Child("perf.member")) for _ in orders]
    for child, order in zip(children, orders, strict=True):
        child.order(order)
    for child in children:
        child.answer(Word, 30.0)
    for child in children:
        child.order(Word("go"))
    return children


def ask(producer: zmq.Socket[bytes], number: int) -> None:
    header = {"v": 1, "id": f"f{number}", "outputs": OUTPUTS}
    producer.send_multipart([msgpack.packb(header), numbered_jpeg(number, 320, 240)])


def answer(producer: zmq.Socket[bytes]) -> tuple[Any, list[bytes]]:
    header, *pictures = producer.recv_multipart()
    return msgpack.unpackb(header), pictures


@pytest.mark.timeout(120)
def test_thousand_producers_with_one_that_floods_and_one_that_never_reads_each_get_their_own_picture(
    daemon: Daemon, picture_file: str
) -> None:
    broker = psutil.Process(daemon.pids("broker")[0])
    before_bytes = broker.memory_info().rss
    peak_bytes = before_bytes
    with ExitStack() as stack:
        context = stack.enter_context(zmq.Context())
        context.set(zmq.MAX_SOCKETS, 2 * (MODEST + IDLE))
        flooding, deaf = let_loose(
            stack,
            CrowdOrder(daemon.endpoint, picture_file, "flooding", 1, 0, FLOOD_S),
            CrowdOrder(daemon.endpoint, picture_file, "deaf", 1, 0, FLOOD_S),
        )
        producers = [stack.enter_context(connect(context, daemon.endpoint)) for _ in range(MODEST + IDLE)]
        for number, producer in enumerate(producers[:MODEST]):
            producer.rcvtimeo = WITHIN_MS
            ask(producer, number)
            if number % 8 == 7:
                # No more than its fair share waits: the others are not displaced, and neither is any of these.
                for earlier in range(number - 7, number + 1):
                    reply, pictures = answer(producers[earlier])
                    assert reply["status"] == "ok", reply
                    assert number_of_jpeg(pictures[0]) == earlier
                peak_bytes = max(peak_bytes, broker.memory_info().rss)
        flood = flooding.answer(CrowdRun, FLOOD_S + 30.0)
        unread = deaf.answer(CrowdRun, FLOOD_S + 30.0)

    assert flood.refused_us, "it was too much"
    assert flood.latency_us, "it is served as well"
    assert (flood.errors, flood.unanswered) == ({}, 0)
    assert unread.sent > 0
    assert peak_bytes - before_bytes < GROWTH_BYTES_MAX
    assert broker.is_running()
    frames = daemon.frames_at_rest(MODEST)
    assert frames["replies_dropped"] > 0, "nobody waits for who does not read"
    assert daemon.metrics()["restarts"]["total"] == 0


@pytest.mark.timeout(90)
def test_modest_producer_beside_a_flood_is_never_refused(daemon_with: Callable[..., Daemon], picture_file: str) -> None:
    daemon = daemon_with("pipeline.queue_limit=16")
    with ExitStack() as stack:
        [flooding] = let_loose(stack, CrowdOrder(daemon.endpoint, picture_file, "flooding", 1, 0, FLOOD_S))
        context = stack.enter_context(zmq.Context())
        producer = stack.enter_context(connect(context, daemon.endpoint))
        producer.rcvtimeo = WITHIN_MS
        for number in range(100):
            ask(producer, number)
            reply, pictures = answer(producer)
            assert reply["status"] == "ok", reply
            assert number_of_jpeg(pictures[0]) == number
        flood = flooding.answer(CrowdRun, FLOOD_S + 30.0)

    assert flood.refused_us
    assert (flood.errors, flood.unanswered) == ({}, 0)


@pytest.mark.timeout(60)
def test_rate_counts_a_process_whatever_its_connections_and_not_its_neighbour(
    daemon_with: Callable[..., Daemon], picture_file: str
) -> None:
    daemon = daemon_with("frames.rate_per_second=10")
    codes: Counter[str] = Counter()
    with ExitStack() as stack:
        context = stack.enter_context(zmq.Context())
        [other] = let_loose(stack, CrowdOrder(daemon.endpoint, picture_file, "modest", 3, 5.0, 2.0))
        producers = [stack.enter_context(connect(context, daemon.endpoint)) for _ in range(20)]
        for number, producer in enumerate(5 * producers):
            producer.rcvtimeo = WITHIN_MS
            ask(producer, number)
        for producer in 5 * producers:
            reply, _ = answer(producer)
            code = "ok" if reply["status"] == "ok" else reply["error"]["code"]
            assert code == "ok" or reply["retry_after_ms"] > 0
            codes[code] += 1
        beside = other.answer(CrowdRun, 30.0)

    assert set(codes) == {"ok", "RATE_LIMITED"}
    assert 10 <= codes["ok"] <= 30, "a burst of 10, and 10 a second while they were sent"
    assert (len(beside.latency_us), beside.errors) == (10, {})


@pytest.mark.timeout(60)
def test_more_connections_than_descriptors_are_kept_out_and_those_inside_are_served(runtime_directory: Path) -> None:
    def limit(process: subprocess.Popen[str]) -> None:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))

    door = runtime_directory / "frames.sock"
    with Daemon(runtime_directory, when_spawned=limit) as daemon:
        broker = psutil.Process(daemon.pids("broker")[0])
        with neighbour(daemon) as beside:
            knocker = subprocess.Popen(
                [sys.executable, "-c", KNOCKER, str(door), str(KNOCKS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            with knocker:
                assert knocker.stdout is not None
                came_in = int(knocker.stdout.readline())
                eventually(lambda: not door.exists(), within_s=5.0, what="the door is shut")
                with socket.socket(socket.AF_UNIX) as late, pytest.raises(FileNotFoundError):
                    late.connect(str(door))
                used_s = sum(broker.cpu_times()[:2])
                beside.is_served_again(50)
                knocker.communicate("end\n")
            eventually(door.exists, within_s=5.0, what="the door is open again")
        with zmq.Context() as context, connect(context, daemon.endpoint) as newcomer:
            newcomer.rcvtimeo = WITHIN_MS
            ask(newcomer, 7)
            assert number_of_jpeg(answer(newcomer)[1][0]) == 7

        assert DESCRIPTORS // 3 < came_in < DESCRIPTORS
        assert sum(broker.cpu_times()[:2]) - used_s < 5.0, "no loop turned for nothing"
        assert daemon.pids("broker") == [broker.pid]
        assert daemon.metrics()["restarts"]["total"] == 0
    assert os.listdir(runtime_directory).count("frames.sock.full") == 0  # noqa: PTH208 - names are enough
