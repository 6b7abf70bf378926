"""Lent memory that is cut, taken away or written to while it is read: only the frames of who does it fail."""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from tests.daemon import Daemon
from tests.lent import (
    FRAME_BYTES,
    NOBODY,
    Answer,
    Borrowing,
    Segment,
    other_user,
    restarts,
    stopped,
    workers,
)
from tests.neighbour import neighbour
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.photographs import decoded
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(90)

LARGE: Final = 1600
CUT: Final = "BAD_REQUEST: lent.bytes: the segment was cut to"
WHILE_LENT: Final = "bytes while it was lent"
ONE_WORKER: Final = 'pipeline.pools=[{stages = ["decode", "transform", "encode"], workers = 1}]'
CUTS: Final = 30
SECOND_BORROWER: Final = Path(__file__).parent / "second_producer.py"
JPEG: Final = [{"quality": 90}]


def has_restarted(daemon: Daemon, times: int) -> bool:
    return restarts(daemon) == times


# ---- truncation


def test_segment_cut_under_a_worker_ends_its_frames_only_and_costs_its_user_one_worker(
    open_daemon: Callable[..., Daemon],
) -> None:
    daemon = open_daemon(ONE_WORKER)
    before = workers(daemon)
    with (
        Borrowing(daemon) as cutter,
        Borrowing(daemon) as honest,
        Segment([1, 2, 3]) as segment,
        Segment([11, 12, 13]) as kept,
    ):
        # The worker keeps what it has mapped: only that is deadly.
        assert cutter.ask(segment.place()).number == 1
        with stopped(daemon):
            for index in range(3):
                cutter.send(f"cut-{index}", segment.place(index))
                honest.send(f"lent-{index}", kept.place(index))
                honest.send(f"sent-{index}", None, numbered_jpeg(20 + index, 64, 48), input=None, outputs=JPEG)
            assert cutter.ask_whether_read() == honest.ask_whether_read() == []
            eventually(lambda: daemon.metrics()["frames"]["in_flight"] == 9, within_s=5.0, what="all are in work")
            segment.cut()
        ends = cutter.receive_all(3)
        answers = honest.receive_all(6)
        died = set(before) - set(workers(daemon))

        assert {answer.error for answer in ends.values()} == {f"{CUT} 0 {WHILE_LENT}"}
        for index in range(3):
            assert answers[f"lent-{index}"].number == 11 + index
            assert number_of_jpeg(answers[f"sent-{index}"].pictures[0]) == 20 + index
        assert died == set(before)
        eventually(lambda: len(workers(daemon)) == len(before), within_s=10.0, what="it was replaced")
        eventually(lambda: restarts(daemon) == 1, within_s=5.0, what="the death is told")

        eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")

        # From here on what this user lends is not mapped: another cut is a refusal, or comes too late.
        now = workers(daemon)
        for size in (0, FRAME_BYTES - 1):
            with Segment([4, 5]) as later:
                assert cutter.ask(later.place(1), id=f"whole-{size}").number == 5
                with stopped(daemon):
                    cutter.send(f"again-{size}", later.place())
                    cutter.ask_whether_read()
                    eventually(lambda: daemon.metrics()["frames"]["in_flight"] == 1, within_s=5.0, what="it is in work")
                    later.cut(size)
                told = cutter.receive()
                assert told.error == f"{CUT} {size} {WHILE_LENT}" or told.number == 4
        assert workers(daemon) == now
        assert cutter.is_silent()
        assert honest.is_silent()
    frames = daemon.frames_at_rest(14)
    assert frames["completed"] + frames["failed"] == 14
    assert restarts(daemon) == 1


CUT_AS = """
import os, sys
import msgpack, zmq
endpoint, uid, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = zmq.Context()
if uid != os.geteuid():
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
path = "/dev/shm/" + name
with open(path, "xb") as file:
    file.write(bytes(64 * 64))
socket = context.socket(zmq.DEALER)
socket.linger, socket.rcvtimeo = 0, 20_000
socket.connect(endpoint)
pixels = {"format": "raw", "width": 64, "height": 64, "layout": "GRAY"}
request = {"v": 1, "input": pixels, "outputs": [{"format": "raw"}], "lent": {"segment": name, "bytes": 64 * 64}}
for request_id in ("mapped", "cut"):
    socket.send(msgpack.packb({**request, "id": request_id}))
    if request_id == "cut":
        socket.send(msgpack.packb({"v": 1, "op": "ping"}))
        socket.recv_multipart()
        os.truncate(path, 0)
    print(request_id, flush=True)
    if request_id == "mapped":
        socket.recv_multipart()
        print("answered", flush=True)
        sys.stdin.readline()
print(msgpack.unpackb(socket.recv_multipart()[0])["error"]["message"])
os.unlink(path)
"""


def test_workers_that_die_of_cut_segments_are_not_counted_against_their_pool(
    open_daemon: Callable[..., Daemon],
) -> None:
    """As many users as there can be, each of whom costs one worker, are more than `restarts_max`."""
    daemon = open_daemon("supervisor.restarts_max=1", ONE_WORKER)
    uids = [0, 1234, 2345, NOBODY] if os.geteuid() == 0 else [os.geteuid()]
    for uid in uids:
        before = restarts(daemon)
        name = f"oms-test-cut-{os.getpid()}-{uid}"
        command = [sys.executable, "-c", CUT_AS, daemon.endpoint, str(uid), name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as cutter:
            assert cutter.stdin is not None
            assert cutter.stdout is not None
            assert [cutter.stdout.readline() for _ in range(2)] == ["mapped\n", "answered\n"]
            with stopped(daemon):
                cutter.stdin.write("\n")
                cutter.stdin.flush()
                assert cutter.stdout.readline() == "cut\n"
            told = cutter.stdout.read()
        assert "was cut to 0 bytes while it was lent" in told
        eventually(partial(has_restarted, daemon, before + 1), within_s=10.0, what="the death is told")
        eventually(lambda: len(workers(daemon)) == 1, within_s=10.0, what="the worker was replaced")
        eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")

    with neighbour(daemon) as beside:
        beside.is_served_again()


def test_segment_cut_before_its_frames_are_started_ends_them_and_costs_nothing(
    open_daemon: Callable[..., Daemon],
) -> None:
    daemon = open_daemon("pipeline.max_concurrent_jobs=1")
    before = workers(daemon)
    with Borrowing(daemon) as cutter, Borrowing(daemon) as honest:
        with stopped(daemon), Segment([1]) as segment, Segment([7]) as kept:
            honest.send("first", None, numbered_jpeg(6, 64, 48), input=None, outputs=JPEG)
            honest.ask_whether_read()
            for number in range(20):
                cutter.send(f"cut-{number}", segment.place())
            honest.send("second", kept.place())
            cutter.ask_whether_read()
            honest.ask_whether_read()
            segment.cut(100)
        ends = cutter.receive_all(20)
        answers = honest.receive_all(2)

    assert {answer.error for answer in ends.values()} == {f"{CUT} 100 {WHILE_LENT}"}
    assert (number_of_jpeg(answers["first"].pictures[0]), answers["second"].number) == (6, 7)
    daemon.frames_at_rest(22)
    assert workers(daemon) == before
    assert restarts(daemon) == 0


def test_segments_cut_at_any_moment_harm_nobody_else(open_daemon: Callable[..., Daemon]) -> None:
    daemon = open_daemon("pipeline.whole_frame_pixels_max=0")
    before = workers(daemon)
    chance = random.Random(6)
    outcomes: list[Answer] = []
    with neighbour(daemon) as beside, other_user(daemon.endpoint), Borrowing(daemon) as cutter:
        for turn in range(CUTS):
            with Segment([turn, turn], side=LARGE) as segment:
                size = chance.choice([0, 4096, segment.frame_bytes])
                late = threading.Timer(chance.random() * 0.1, segment.cut, [size])
                late.start()
                for index in range(2):
                    cutter.send(f"{turn}-{index}", segment.place(index), input=segment.input(), outputs=JPEG)
                outcomes += cutter.receive_all(2).values()
                late.join()
        assert cutter.is_silent()
        beside.is_served_again()
        served = beside.served

    told = {answer.error for answer in outcomes}
    assert all(error.startswith("BAD_REQUEST: lent.") for error in told - {""}), told
    assert len(outcomes) == 2 * CUTS
    frames = daemon.frames_at_rest(2 * CUTS + served)
    assert frames["received"] == frames["completed"] + frames["failed"] + frames["rejected"]
    # Those that were reading when it was cut for the first time.
    assert restarts(daemon) <= len(before)
    assert daemon.get("/health/ready")[0] == 200


def test_encoded_picture_cut_while_it_waits_was_copied_before(open_daemon: Callable[..., Daemon]) -> None:
    daemon = open_daemon()
    data = numbered_jpeg(8, 320, 240)
    with Borrowing(daemon) as cutter, Segment() as segment:
        segment.path.write_bytes(data)
        with stopped(daemon):
            cutter.send("a", {"segment": segment.name, "bytes": len(data)}, input=None, outputs=JPEG)
            cutter.ask_whether_read()
            segment.cut()
        assert number_of_jpeg(cutter.receive().pictures[0]) == 8
    assert restarts(daemon) == 0


# ---- disappearance and change


def test_segment_unlinked_when_its_frame_was_accepted_is_read_to_the_end(daemon: Daemon) -> None:
    """As many at a time as one user may have open."""
    with Borrowing(daemon) as producer:
        with stopped(daemon):
            for number in range(16):
                with Segment([number]) as segment:
                    producer.send(str(number), segment.place())
                    producer.ask_whether_read()
        answers = producer.receive_all(16)

    assert {request_id: answer.number for request_id, answer in answers.items()} == {str(n): n for n in range(16)}


def test_segment_unlinked_right_after_sending_is_read_or_refused(daemon: Daemon) -> None:
    with Borrowing(daemon) as producer:
        for number in range(200):
            with Segment([number]) as segment:
                producer.send(str(number), segment.place())
        answers = producer.receive_all(200)

    for request_id, answer in answers.items():
        assert answer.error.startswith("BAD_REQUEST: lent.segment: there is no") or answer.number == int(request_id)
    daemon.frames_at_rest(200)
    assert restarts(daemon) == 0


KILLED = """
import os, sys
from omnishotd.client import Client, Output
from tests.numbered import numbered_pixels
client = Client(sys.argv[1])
lent = client.lend(1600 * 1200 * 3, count=12)
for number in range(12):
    client.submit(lent.image(numbered_pixels(number, 1600, 1200)), outputs=Output(quality=90))
client.ping()
sys.stdout.write("in flight\\n")
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.mark.usefixtures("resource_tracker")
def test_producer_that_is_killed_with_lent_frames_in_work_harms_nobody(daemon: Daemon) -> None:
    before = workers(daemon)
    with neighbour(daemon) as beside:
        program = subprocess.Popen(
            [sys.executable, "-c", KILLED, daemon.endpoint],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with program:
            assert program.stdout is not None
            assert program.stdout.readline() == "in flight\n"
            program.kill()
        beside.is_served_again()
        served = beside.served

    frames = daemon.frames_at_rest(12 + served)
    assert frames["completed"] + frames["cancelled"] == frames["received"]
    assert workers(daemon) == before


def test_memory_that_changes_while_it_is_read_gives_some_picture_and_no_death(daemon: Daemon) -> None:
    before = workers(daemon)
    is_over = threading.Event()
    with Segment([1], side=LARGE) as segment, Borrowing(daemon) as producer, neighbour(daemon) as beside:

        def scribble() -> None:
            chance = random.Random(1)
            with segment.path.open("r+b", buffering=0) as file:
                while not is_over.is_set():
                    file.seek(chance.randrange(segment.frame_bytes - (1 << 16)))
                    file.write(chance.randbytes(1 << 16))

        thread = threading.Thread(target=scribble)
        thread.start()
        for number in range(20):
            keys: dict[str, Any] = {
                "input": segment.input(),
                "outputs": [{"quality": 80}, {"operations": [{"op": "trim"}]}],
            }
            answer = producer.ask(segment.place(), id=str(number), **keys)
            assert answer.error == ""
            assert decoded(answer.pictures[0]).shape == (LARGE, LARGE, 3)
        is_over.set()
        thread.join(10)
        beside.is_served_again()

    assert workers(daemon) == before
    assert restarts(daemon) == 0
