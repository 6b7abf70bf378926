"""A worker's connection that is made late, and lost."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import zmq

from ipc.sockets import bind_work, make_context
from ipc.tether import Tether
from tests.waiting import eventually

Context = zmq.Context[zmq.Socket[bytes]]


@pytest.fixture
def context() -> Iterator[Context]:
    context = make_context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def endpoint(runtime_directory: Path) -> str:
    return f"ipc://{runtime_directory}/work.sock"


def seen(tether: Tether, is_it: Callable[[], bool], what: str) -> None:
    """Look until something is so."""

    def look() -> bool:
        tether.look()
        return is_it()

    eventually(look, within_s=5.0, what=what)


def test_connection_to_nobody_is_not_made(context: Context, endpoint: str) -> None:
    with closing(Tether(context, endpoint, 3)) as tether:
        assert not tether.events.poll(100)
        tether.look()

        assert (tether.is_made, tether.is_lost) == (False, False)


def test_connection_is_made_when_the_broker_comes_and_lost_when_it_goes(context: Context, endpoint: str) -> None:
    with closing(Tether(context, endpoint, 3)) as tether:
        broker = bind_work(context, endpoint, 1 << 20)
        seen(tether, lambda: tether.is_made, "it is made")
        tether.socket.send(b"hello")
        broker.rcvtimeo = 5000
        assert broker.recv_multipart() == [b"w3", b"hello"]
        assert not tether.is_lost
        broker.close()

        seen(tether, lambda: tether.is_lost, "it is lost")


def test_connection_that_was_lost_stays_lost_whoever_comes(context: Context, endpoint: str) -> None:
    with closing(Tether(context, endpoint, 3)) as tether:
        broker = bind_work(context, endpoint, 1 << 20)
        seen(tether, lambda: tether.is_made, "it is made")
        broker.close()
        seen(tether, lambda: tether.is_lost, "it is lost")
        with closing(bind_work(context, endpoint, 1 << 20)) as second:
            tether.socket.send(b"hello")
            second.rcvtimeo = 5000
            second.recv_multipart()
            tether.look()

            assert tether.is_lost
