"""`Client.lend` and `AsyncClient.lend` against a daemon played by the test, which reads what is lent."""

import asyncio
import os
import subprocess
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnishotd.client import (
    AsyncClient,
    BadRequest,
    CannotLend,
    Client,
    ClientClosed,
    LentImage,
    RawInput,
    RequestTimeout,
    Result,
)
from omnishotd.client.segment import FOLDER
from tests.omnishotd.client.lent import content, echo_lent, segments
from tests.omnishotd.client.scripted_daemon import WITHIN_S, ScriptedDaemon, ok, refused
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("resource_tracker")

FRAME = (4, 6, 3)
FRAME_BYTES = 72
NOBODY = 65534


def frame(number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.full(FRAME, number, np.uint8)


def test_frame_that_is_lent_travels_as_its_place(played: ScriptedDaemon) -> None:
    played.answer = echo_lent
    with Client(played.endpoint) as client, client.lend(FRAME_BYTES, count=2) as lent:
        result = client.process(lent.image(frame(7)), preset="p", layout="BGR")
        seen = played.take()

    assert result.outputs[0].data == b"\7" * FRAME_BYTES
    assert seen.payload is None
    assert seen.header["input"] == {"format": "raw", "width": 6, "height": 4, "layout": "BGR"}
    assert set(seen.header["lent"]) == {"segment", "offset", "bytes"}


@pytest.mark.parametrize(
    ("given", "options", "described"),
    [
        (b"a jpeg", {}, None),
        (bytearray(b"a gif"), {"page": 2}, {"page": 2}),
        (memoryview(b"123456"), {"input": RawInput(3, 2, "GRAY")}, RawInput(3, 2, "GRAY").to_map()),
        (np.arange(40, dtype=np.uint8).reshape(5, 8)[:, ::2], {}, RawInput(4, 5, "GRAY").to_map()),
        (np.arange(24, dtype=np.uint8).reshape(2, 3, 4)[::-1], {"layout": "BGRA"}, RawInput(3, 2, "BGRA").to_map()),
    ],
    ids=["bytes", "bytearray", "pixels in a row", "every other column", "upside down"],
)
def test_every_kind_of_image_can_be_lent(
    played: ScriptedDaemon, given: Any, options: Any, described: dict[str, Any] | None
) -> None:
    played.answer = echo_lent
    with Client(played.endpoint) as client, client.lend(FRAME_BYTES) as lent:
        result = client.process(lent.image(given), preset="p", **options)

    assert result.outputs[0].data == (given.tobytes() if hasattr(given, "tobytes") else bytes(given))
    assert played.take().header.get("input") == described


def test_camera_fills_buffers_in_place_and_gets_each_back_with_its_reply(played: ScriptedDaemon) -> None:
    played.answer = echo_lent
    futures: list[Future[Result]] = []
    with Client(played.endpoint) as client, client.lend(FRAME_BYTES, count=2) as lent:
        for number in range(50):
            image = lent.take(FRAME)
            image.array[...] = number
            futures.append(client.submit(image, preset="p"))
        results = [future.result(WITHIN_S) for future in futures]

    assert [set(result.outputs[0].data) for result in results] == [{number} for number in range(50)]


def test_buffer_is_waited_for_within_the_time_limit_and_no_longer(played: ScriptedDaemon) -> None:
    with Client(played.endpoint, timeout_s=WITHIN_S) as client, client.lend(FRAME_BYTES, count=1) as lent:
        future = client.submit(lent.image(frame(1)), preset="p")
        seen = played.take()
        with pytest.raises(RequestTimeout, match=r"1 buffers lent or held \(count\), none free within 0.05 s"):
            lent.take(FRAME, timeout_s=0.05)
        threading.Timer(0.05, played.reply, [seen, ok(seen, b"x")]).start()
        assert lent.take(FRAME).index == 0
        future.result(WITHIN_S)


def test_callback_does_not_wait_for_a_buffer_as_only_its_own_thread_frees_one(played: ScriptedDaemon) -> None:
    played.answer = lambda seen: ok(seen, b"x")
    told: Future[str] = Future()

    def on_done(_: "Future[Result]") -> None:
        try:
            lent.take(FRAME)
        except RequestTimeout as error:
            told.set_result(str(error))

    with Client(played.endpoint) as client, client.lend(FRAME_BYTES, count=1) as lent:
        held = lent.take(FRAME)
        client.submit(b"not lent", preset="p").add_done_callback(on_done)
        assert "none free within 0 s" in told.result(WITHIN_S)
        held.release()


def test_every_end_of_a_request_frees_its_buffer(played: ScriptedDaemon) -> None:
    played.answer = lambda seen: refused(seen, "BAD_REQUEST", "lent.segment: no") if "id" in seen.header else None
    with Client(played.endpoint) as client, client.lend(FRAME_BYTES, count=1) as lent:
        with pytest.raises(BadRequest, match="lent"):
            client.process(lent.image(frame(1)), preset="p")
        played.answer = None
        with pytest.raises(RequestTimeout, match="no reply within"):
            client.process(lent.image(frame(2)), preset="p", timeout_s=0.1)
        assert client.submit(lent.image(frame(3)), preset="p").cancel()
        assert lent.take(FRAME).index == 0


def test_wrong_options_leave_the_image_with_its_producer(played: ScriptedDaemon) -> None:
    played.answer = echo_lent
    with Client(played.endpoint) as client, client.lend(FRAME_BYTES, count=1) as lent:
        image = lent.image(frame(1))
        for options in ({"layout": "RGBA"}, {"page": 1}, {"id": "~1"}, {"stream": "x" * 5000}):
            with pytest.raises(ValueError, match=r"layout|page|id|header"):
                client.process(image, preset="p", **options)
        result = client.process(image, preset="p")

    assert result.outputs[0].data == b"\1" * FRAME_BYTES


@pytest.mark.parametrize("shape", [(), (4, 6, 2), (0, 6), (2, 3, 4, 5), -1, 0, FRAME_BYTES + 1, (25, 1, 3)])
def test_shape_of_no_image_or_of_too_large_a_one_is_refused(played: ScriptedDaemon, shape: Any) -> None:
    with (
        Client(played.endpoint) as client,
        client.lend(FRAME_BYTES) as lent,
        pytest.raises(ValueError, match="image: "),
    ):
        lent.take(shape)


@pytest.mark.parametrize(
    ("frame_bytes", "count", "named"), [(0, 1, "frame_bytes"), (1, 0, "count"), (1, 1025, "count")]
)
def test_bounds_of_what_is_lent_are_told(played: ScriptedDaemon, frame_bytes: int, count: int, named: str) -> None:
    with Client(played.endpoint) as client, pytest.raises(ValueError, match=f"{named}: 1 to "):
        client.lend(frame_bytes, count=count)


def test_nothing_is_lent_over_tcp() -> None:
    keys = {"server_key": "x" * 40, "key_file": "/nowhere"}
    with pytest.raises(CannotLend, match=r"tcp://127\.0\.0\.1:5: memory is lent to a daemon on the same host"):
        _lend_over("tcp://127.0.0.1:5", keys)


def _lend_over(endpoint: str, keys: dict[str, str]) -> None:
    from omnishotd.client.lending import LentMemory  # noqa: PLC0415 - in the place of a client with real keys

    class OverTcp:
        """What a lender asks of a client."""

    submitter: Any = OverTcp()
    submitter.endpoint = endpoint
    submitter.keys = keys
    LentMemory(submitter, 1, 1)


def test_client_closed_first_ends_what_is_lent_and_then_the_segment_goes(played: ScriptedDaemon) -> None:
    client = Client(played.endpoint)
    lent = client.lend(FRAME_BYTES)
    future = client.submit(lent.image(frame(1)), preset="p")
    client.close()
    with pytest.raises(ClientClosed):
        future.result(0)
    assert len(segments()) == 1
    lent.close()
    lent.close()

    assert segments() == []
    with pytest.raises(ClientClosed, match="lent memory is closed"):
        lent.take(FRAME)


def test_memory_closed_first_stays_until_the_last_reply(played: ScriptedDaemon) -> None:
    with Client(played.endpoint) as client:
        with client.lend(FRAME_BYTES) as lent:
            future = client.submit(lent.image(frame(3)), preset="p")
            seen = played.take()
        data = content(seen)
        played.reply(seen, ok(seen, data))
        result = future.result(WITHIN_S)
        eventually(lambda: not segments(), within_s=WITHIN_S, what="the segment is gone")

    assert result.outputs[0].data == b"\3" * FRAME_BYTES


def test_request_that_is_sent_again_finds_its_frame_unchanged(played: ScriptedDaemon) -> None:
    with Client(played.endpoint) as client, client.lend(FRAME_BYTES, count=1) as lent:
        future = client.submit(lent.image(frame(9)), preset="p")
        first = played.take()
        played.close()
        with pytest.raises(RequestTimeout):
            lent.take(FRAME, timeout_s=0.05)
        with ScriptedDaemon(played.endpoint, epoch="e2", answer=echo_lent) as replaced:
            result = future.result(WITHIN_S)
            assert replaced.take().header == first.header

    assert result.outputs[0].data == b"\x09" * FRAME_BYTES


# ---- who may read it


@pytest.mark.parametrize("has_lists", [True, False], ids=["by a list", "by the group"])
def test_only_the_daemons_user_may_read_what_is_lent_to_another(
    played: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch, *, has_lists: bool
) -> None:
    if os.geteuid() != 0:
        pytest.fail("needs root, to be two users")
    if not has_lists:
        monkeypatch.setattr(os, "setxattr", _unsupported)
    socket = played.endpoint.removeprefix("ipc://")
    played.answer = echo_lent
    with Client(played.endpoint) as client, client.lend(FRAME_BYTES) as lent:
        client.process(lent.image(frame(1)), preset="p")
        (path,) = (FOLDER / name for name in segments())
        own = (oct(path.stat().st_mode & 0o777), [may_read(path, uid, uid) for uid in (NOBODY, 1234)])
        os.chown(socket, NOBODY, 4321)
        client.process(lent.image(frame(2)), preset="p")
        others = [may_read(path, *who) for who in ((NOBODY, 4321), (NOBODY, NOBODY), (1234, 4321), (1234, 1234))]
        os.chown(socket, 1234, 4321)
        client.process(lent.image(frame(3)), preset="p")
        after = [may_read(path, *who) for who in ((NOBODY, 5), (1234, 5), (7, 4321))]
        is_ours = path.stat().st_gid == os.getegid()

    assert own == ("0o600", [False, False])
    assert others == ([True, True, False, False] if has_lists else [True, False, True, False])
    assert after == ([False, True, False] if has_lists else [False, False, True])
    # systemd takes away what belongs to a stopped service's group.
    assert is_ours is has_lists


def _unsupported(*_: object) -> None:
    raise OSError(95, "Operation not supported")


def may_read(path: Path, uid: int, gid: int) -> bool:
    """Whether a user of a group may."""
    command = ["/usr/bin/setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "cat", str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_user_who_cannot_let_the_daemon_in_is_told(played: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "setxattr", _unsupported)
    monkeypatch.setattr(os, "chown", _forbidden)
    monkeypatch.setattr(os, "geteuid", lambda: 77)
    os.lchown(played.endpoint.removeprefix("ipc://"), NOBODY, 4321)
    with Client(played.endpoint) as client, client.lend(FRAME_BYTES) as lent:
        image = lent.image(frame(1))
        with pytest.raises(CannotLend, match=r"user 65534, could read it as group 4321 of its socket: .*not permitted"):
            client.process(image, preset="p")
        image.view[0] = 1


def _forbidden(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


# ---- asyncio


def test_many_frames_share_few_buffers_without_holding_the_loop(played: ScriptedDaemon) -> None:
    played.answer = echo_lent

    async def one(client: AsyncClient, lent: Any, number: int) -> set[int]:
        result = await client.process(await lent.image(frame(number)), preset="p")
        return set(result.outputs[0].data)

    async def run() -> list[set[int]]:
        async with AsyncClient(played.endpoint) as client, client.lend(FRAME_BYTES, count=3) as lent:
            return await asyncio.gather(*(one(client, lent, number) for number in range(100)))

    assert asyncio.run(run()) == [{number} for number in range(100)]


def test_task_that_is_cancelled_while_it_waits_for_a_buffer_takes_none(played: ScriptedDaemon) -> None:
    async def run() -> None:
        async with AsyncClient(played.endpoint) as client, client.lend(FRAME_BYTES, count=1) as lent:
            held = await lent.take(FRAME)
            tasks = [asyncio.create_task(lent.take(FRAME)) for _ in range(3)]
            await asyncio.wait(tasks, timeout=0.01)
            with pytest.raises(RequestTimeout, match="none free"):
                await lent.take(FRAME, timeout_s=0.05)
            # In the same turn of the loop: the first has its buffer already, and does not know it.
            held.release()
            for task in tasks:
                task.cancel()
            assert await asyncio.gather(*tasks, return_exceptions=True)
            tasks.clear()
            assert isinstance(await lent.take(FRAME, timeout_s=WITHIN_S), LentImage)

    asyncio.run(run())
