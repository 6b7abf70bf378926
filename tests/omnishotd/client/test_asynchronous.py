"""`AsyncClient` against a daemon played by the test."""

import asyncio

import pytest

from omnishotd.client import AsyncClient, BadRequest, ClientClosed, RequestTimeout
from tests.omnishotd.client.scripted_daemon import WITHIN_S, ScriptedDaemon, Seen, echo, info, ok, refused


async def take(played: ScriptedDaemon) -> Seen:
    """Wait for the next request without holding the loop."""
    return await asyncio.to_thread(played.take)


def test_many_frames_at_once_get_their_own_replies(played: ScriptedDaemon) -> None:
    played.answer = echo
    frames = [b"frame-%d" % number for number in range(100)]

    async def run() -> list[bytes]:
        async with AsyncClient(played.endpoint, in_flight_max=8) as client:
            results = await asyncio.gather(*(client.process(frame, preset="p") for frame in frames))
        return [result.outputs[0].data for result in results]

    assert asyncio.run(run()) == frames


def test_ping_and_info_are_answered(played: ScriptedDaemon) -> None:
    played.answer = info

    async def run() -> tuple[str, tuple[str, ...]]:
        async with AsyncClient(played.endpoint) as client:
            return (await client.ping()).epoch, (await client.info()).presets

    assert asyncio.run(run()) == ("e1", ("thumbnail",))


def test_refusal_is_raised_where_it_is_awaited(played: ScriptedDaemon) -> None:
    played.answer = lambda seen: refused(seen, "BAD_REQUEST", "outputs[0].qualty: there is no such key")

    async def run() -> None:
        async with AsyncClient(played.endpoint) as client:
            with pytest.raises(BadRequest, match="qualty"):
                await client.process(b"x", preset="p")

    asyncio.run(run())


def test_cancelled_task_cancels_its_frame_and_makes_room(played: ScriptedDaemon) -> None:
    async def run() -> None:
        async with AsyncClient(played.endpoint, in_flight_max=1) as client:
            task = asyncio.create_task(client.process(b"x", preset="p", id="a"))
            await take(played)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            cancel = await take(played)
            assert (cancel.header["op"], cancel.id) == ("cancel", "a")

            played.answer = echo
            result = await client.process(b"y", preset="p", timeout_s=WITHIN_S)
            assert result.outputs[0].data == b"y"

    asyncio.run(run())


def test_full_window_keeps_the_loop_free_and_ends_at_the_time_limit(played: ScriptedDaemon) -> None:
    async def run() -> None:
        async with AsyncClient(played.endpoint, in_flight_max=1) as client:
            first = asyncio.create_task(client.process(b"x", preset="p"))
            seen = await take(played)
            with pytest.raises(RequestTimeout, match="1 requests in flight"):
                await client.process(b"y", preset="p", timeout_s=0.05)
            played.reply(seen, ok(seen))
            await first

    asyncio.run(run())


def test_time_limit_is_raised_where_it_is_awaited(played: ScriptedDaemon) -> None:
    async def run() -> None:
        async with AsyncClient(played.endpoint) as client:
            await client.ping()
            with pytest.raises(RequestTimeout, match="no reply within"):
                await client.process(b"x", preset="p", timeout_s=0.1)

    asyncio.run(run())


def test_close_ends_what_is_pending(played: ScriptedDaemon) -> None:
    async def run() -> None:
        client = AsyncClient(played.endpoint)
        task = asyncio.create_task(client.process(b"x", preset="p"))
        await take(played)
        await client.close()
        with pytest.raises(ClientClosed):
            await task

    asyncio.run(run())
