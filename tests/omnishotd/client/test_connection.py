"""The client's connection: lost, made again, given up, closed."""

import gc
import threading
import time
from pathlib import Path

import pytest

from omnishotd.client import Client, ClientClosed, ConnectionLost
from omnishotd.client.connection import CLOSE_S
from tests.omnishotd.client.scripted_daemon import WITHIN_S, ScriptedDaemon, echo, ok
from tests.waiting import eventually


def test_client_may_be_there_before_the_daemon(endpoint: str) -> None:
    with Client(endpoint) as client:
        future = client.submit(b"x", preset="p")
        with ScriptedDaemon(endpoint, answer=echo):
            assert future.result(WITHIN_S).outputs[0].data == b"x"


def test_new_broker_gets_exactly_the_pending_requests_again(endpoint: str) -> None:
    with Client(endpoint, name="camera-7") as client:
        with ScriptedDaemon(endpoint, epoch="e1") as first:
            futures = [client.submit(b"frame-%d" % number, preset="p", id=f"r{number}") for number in range(4)]
            seen = {each.id: each for each in (first.take() for _ in range(4))}
            first.reply(seen["r1"], ok(seen["r1"], b"done"))
            assert futures[1].result(WITHIN_S).outputs[0].data == b"done"
        with ScriptedDaemon(endpoint, epoch="e2", answer=echo) as second:
            results = [future.result(WITHIN_S) for future in futures]
            assert client.ping().epoch == "e2"
            again = [second.take() for _ in range(3)]

            assert second.seen.empty()
        counters = client.counters()

    assert [(each.id, each.payload) for each in again] == [(f"r{n}", b"frame-%d" % n) for n in (0, 2, 3)]
    assert all(each.header == seen[each.id].header for each in again)
    assert [result.outputs[0].data for result in results] == [b"frame-0", b"done", b"frame-2", b"frame-3"]
    assert (counters.links, counters.resent) == (2, 3)


def test_frames_stuck_in_a_lost_connection_are_sent_once_over_the_next(endpoint: str) -> None:
    """What libzmq had not sent must not follow what the client sends again."""
    ids = [f"r{number}" for number in range(8)]
    with Client(endpoint) as client:
        with ScriptedDaemon(endpoint) as first:
            client.ping()
            first.stop_reading()
            futures = [client.submit(bytes(2 << 20), preset="p", id=each) for each in ids]
            # The ping was one, too.
            eventually(lambda: client.counters().sent == len(ids) + 1, within_s=WITHIN_S, what="all are handed over")
        with ScriptedDaemon(endpoint, epoch="e2", answer=echo) as second:
            for future in futures:
                future.result(WITHIN_S)
            client.ping()

            assert second.take_ids(len(ids)) == ids
            assert second.seen.empty()


def test_new_epoch_behind_the_same_connection_gets_the_pending_requests_again(played: ScriptedDaemon) -> None:
    with Client(played.endpoint) as client:
        future = client.submit(b"x", preset="p", id="a")
        played.take()
        played.epoch = "e2"
        played.answer = echo
        future.result(WITHIN_S)

    assert played.take_ids(1) == ["a"]
    assert played.seen.empty()


def test_frame_that_the_daemon_drops_the_connection_over_is_given_up_alone(endpoint: str) -> None:
    with ScriptedDaemon(endpoint, answer=echo, frame_bytes_max=1 << 20) as played, Client(played.endpoint) as client:
        before = client.submit(b"before", preset="p")
        huge = client.submit(bytes(2 << 20), preset="p")
        after = client.submit(b"after", preset="p")

        assert isinstance(huge.exception(WITHIN_S), ConnectionLost)
        assert before.result(WITHIN_S).outputs[0].data == b"before"
        assert after.result(WITHIN_S).outputs[0].data == b"after"


def test_picture_over_the_clients_limit_gives_up_its_request_and_not_the_connection(played: ScriptedDaemon) -> None:
    """libzmq itself never connects again after a message that is too long."""
    played.answer = lambda seen: ok(seen, bytes(2 << 20)) if seen.id == "long" else echo(seen)
    with Client(played.endpoint, reply_bytes_max=1 << 20) as client:
        long = client.submit(b"x", preset="p", id="long")

        assert client.process(b"short", preset="p").outputs[0].data == b"short"
        assert isinstance(long.exception(WITHIN_S), ConnectionLost)


def test_clients_that_come_and_go_leave_no_descriptor(played: ScriptedDaemon) -> None:
    played.answer = echo

    def come_and_go() -> int:
        with Client(played.endpoint) as client:
            client.process(bytes(1 << 20), preset="p")
        return len(list(Path("/proc/self/fd").iterdir()))

    # The first one also opens what pyzmq keeps for the life of the process. The daemon closes its ends on its own time.
    opened = come_and_go()
    eventually(lambda: come_and_go() <= opened, within_s=WITHIN_S, what="as many descriptors as before")


def test_client_that_nobody_closed_ends_its_thread_when_collected(played: ScriptedDaemon) -> None:
    before = set(threading.enumerate())
    client = Client(played.endpoint)
    client.ping()
    threads = set(threading.enumerate()) - before
    del client
    gc.collect()

    assert threads
    for thread in threads:
        thread.join(WITHIN_S)
        assert not thread.is_alive()


def test_close_ends_what_is_pending_within_its_bound(played: ScriptedDaemon) -> None:
    client = Client(played.endpoint)
    futures = [client.submit(b"x", preset="p") for _ in range(3)]
    played.take()
    started_s = time.monotonic()
    client.close()
    client.close()

    assert time.monotonic() - started_s < CLOSE_S
    assert all(isinstance(future.exception(0), ClientClosed) for future in futures)
    with pytest.raises(ClientClosed):
        client.process(b"x", preset="p")
