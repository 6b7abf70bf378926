"""Patience with a peer that does not read, over a real pair of sockets and with less of it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from control import patience
from control.patience import Patience

SMALL_BYTES = 4096
STALL_S = 0.2


class Speaker(asyncio.Protocol):
    """Says much, and waits until it is given up or all has left."""

    def __init__(self) -> None:
        self.is_given_up = False
        self.is_over = asyncio.Event()
        self.transport: asyncio.Transport
        self.patience: Patience

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a pair of streams
        self.transport = transport
        self.patience = Patience(transport, SMALL_BYTES, self._give_up)

    def pause_writing(self) -> None:
        self.patience.begin()

    def resume_writing(self) -> None:
        self.patience.end()
        self.is_over.set()

    def _give_up(self) -> None:
        self.is_given_up = True
        self.is_over.set()


@asynccontextmanager
async def speaking(bytes_said: int) -> AsyncIterator[tuple[Speaker, socket.socket]]:
    """A speaker who has said so much, and who is to listen to it."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    transport, speaker = await loop.connect_accepted_socket(Speaker, ours)
    transport.write(b"x" * bytes_said)
    theirs.setblocking(False)
    with theirs:
        try:
            yield speaker, theirs
        finally:
            transport.abort()
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "STALL_S", STALL_S)


def test_peer_that_reads_nothing_is_given_up() -> None:
    async def play() -> None:
        async with asyncio.timeout(5), speaking(1_000_000) as (speaker, _):
            assert speaker.patience.is_tried
            await speaker.is_over.wait()
            assert speaker.is_given_up
            assert not speaker.patience.is_tried

    asyncio.run(play())


def test_peer_that_reads_slowly_is_borne_with() -> None:
    async def play() -> None:
        async with asyncio.timeout(10), speaking(200_000) as (speaker, peer):
            loop = asyncio.get_running_loop()
            began_s, read_bytes = loop.time(), 0
            while not speaker.is_over.is_set():
                read_bytes += len(await loop.sock_recv(peer, 20_000))
                await asyncio.sleep(STALL_S / 3)
            assert not speaker.is_given_up
            assert loop.time() - began_s > 2 * STALL_S

    asyncio.run(play())


def test_peer_that_reads_at_once_tries_nobody() -> None:
    async def play() -> None:
        async with asyncio.timeout(5), speaking(1000) as (speaker, _):
            assert not speaker.patience.is_tried

    asyncio.run(play())
