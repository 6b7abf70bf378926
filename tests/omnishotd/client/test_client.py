"""`Client` against a daemon played by the test, over a real Unix socket."""

import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait

import numpy as np
import pytest

from ipc.errors import ErrorCode
from omnishotd.client import (
    AutoOrient,
    Busy,
    Cancelled,
    Client,
    FrameRefused,
    InputFacts,
    Output,
    Picture,
    RequestTimeout,
    Resize,
    Result,
    TimingUs,
    UnreadableReply,
    errors,
)
from tests.omnishotd.client.scripted_daemon import WITHIN_S, ScriptedDaemon, echo, info, ok, refused

THUMBNAIL = Output(AutoOrient(), Resize(300, 300))


def test_result_comes_back_as_the_daemon_said_it(played: ScriptedDaemon) -> None:
    played.answer = lambda seen: ok(seen, b"first", b"second")
    with Client(played.endpoint, name="camera-7") as client:
        result = client.process(b"jpeg bytes", outputs=[THUMBNAIL, THUMBNAIL], priority=7, id="frame-1")

    picture = Picture("jpeg", 3, 2, 80, b"first")
    assert result == Result(
        id="frame-1",
        outputs=(picture, Picture("jpeg", 3, 2, 80, b"second")),
        input=InputFacts("jpeg", 30, 20, 10),
        timing_us=TimingUs(queue=1, decode=2, transform=3, encode=4, total=11),
        attempts=1,
        trace="t-1",
    )
    step = {"operations": [{"op": "auto_orient"}, {"op": "resize", "width": 300, "height": 300}], "format": "jpeg"}
    seen = played.take()
    assert seen.header == {"v": 1, "id": "frame-1", "client": "camera-7", "outputs": [step, step], "priority": 7}
    assert seen.payload == b"jpeg bytes"


def test_raw_picture_comes_back_as_an_array_equal_to_what_was_sent(played: ScriptedDaemon) -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    played.answer = lambda seen: ok(
        seen, seen.payload or b"", facts={"format": "raw", "layout": "RGB", "quality": None}
    )
    with Client(played.endpoint) as client:
        result = client.process(pixels, outputs=Output(format="raw"))

    assert played.take().header["input"] == {"format": "raw", "width": 3, "height": 2, "layout": "RGB"}
    np.testing.assert_array_equal(result.outputs[0].array(), pixels)


def test_large_frame_arrives_whole(played: ScriptedDaemon) -> None:
    played.answer = echo
    frame = bytes(range(256)) * 16_384
    with Client(played.endpoint) as client:
        assert client.process(frame, preset="p").outputs[0].data == frame


@pytest.mark.parametrize("code", list(ErrorCode))
def test_each_error_code_has_an_exception_of_its_own(played: ScriptedDaemon, code: ErrorCode) -> None:
    played.answer = lambda seen: refused(seen, code, "priority: 0 to 9", 250)
    with (
        Client(played.endpoint, retry_when_busy=False) as client,
        pytest.raises(FrameRefused, match=f"^{code}: priority: 0 to 9$") as caught,
    ):
        client.process(b"x", preset="p")

    assert type(caught.value).CODE is code
    assert (caught.value.code, caught.value.message, caught.value.retry_after_ms) == (code, "priority: 0 to 9", 250)


def test_error_code_of_a_newer_daemon_is_a_plain_refusal(played: ScriptedDaemon) -> None:
    played.answer = lambda seen: refused(seen, "MOON_PHASE", "wrong")
    with Client(played.endpoint) as client, pytest.raises(FrameRefused) as caught:
        client.process(b"x", preset="p")

    assert type(caught.value) is FrameRefused
    assert caught.value.code == "MOON_PHASE"


def test_busy_is_tried_again_under_the_same_id(played: ScriptedDaemon) -> None:
    is_busy = iter([True, True, False])
    played.answer = lambda seen: refused(seen, "BUSY", "full", 20) if next(is_busy) else ok(seen)
    with Client(played.endpoint) as client:
        client.process(b"x", preset="p", id="a")
        counters = client.counters()

    assert played.take_ids(3) == ["a", "a", "a"]
    assert counters.rests == 2


def test_busy_for_longer_than_the_time_limit_is_raised_without_waiting(played: ScriptedDaemon) -> None:
    played.answer = lambda seen: refused(seen, "BUSY", "full", 60_000)
    started_s = time.monotonic()
    with Client(played.endpoint) as client, pytest.raises(Busy):
        client.process(b"x", preset="p", timeout_s=WITHIN_S)

    assert time.monotonic() - started_s < WITHIN_S


def test_no_reply_within_the_time_limit_raises_and_cancels(played: ScriptedDaemon) -> None:
    with Client(played.endpoint) as client:
        client.ping()
        with pytest.raises(RequestTimeout, match=r"no reply within 0\.2 s of a request that was sent"):
            client.process(b"x", preset="p", id="slow", timeout_s=0.2)
        slow = played.take()
        cancel = played.take()
        played.reply(slow, ok(slow))
        played.answer = ok
        client.process(b"x", preset="p")
        counters = client.counters()

    assert (cancel.header["op"], cancel.id, cancel.header["client"]) == ("cancel", "slow", slow.header["client"])
    assert counters.replies_ignored == 1


def test_no_daemon_within_the_time_limit_raises(endpoint: str) -> None:
    with Client(endpoint) as client, pytest.raises(RequestTimeout, match=r"no daemon answered within 0\.1 s") as caught:
        client.process(b"x", preset="p", timeout_s=0.1)

    assert isinstance(caught.value, TimeoutError)


def test_ping_and_info_say_what_the_daemon_says(played: ScriptedDaemon) -> None:
    played.answer = info
    with Client(played.endpoint) as client:
        assert client.ping().epoch == "e1"
        told = client.info()

    assert (told.presets, told.limits["max_side"], told.operations) == (("thumbnail",), 16383, ("resize",))


def test_cancel_is_sent_and_the_daemon_has_the_last_word(played: ScriptedDaemon) -> None:
    with Client(played.endpoint) as client:
        future = client.submit(b"x", preset="p", id="a")
        seen = played.take()
        client.cancel("a")
        cancel = played.take()
        assert cancel.header == {"v": 1, "op": "cancel", "id": "a", "client": client.name}
        played.reply(seen, refused(seen, "CANCELLED"))

        with pytest.raises(Cancelled):
            future.result(WITHIN_S)


def test_cancelled_future_cancels_at_the_daemon_and_makes_room(played: ScriptedDaemon) -> None:
    with Client(played.endpoint, in_flight_max=1) as client:
        future = client.submit(b"x", preset="p", id="a")
        played.take()
        assert future.cancel()
        assert wait([future], WITHIN_S).done == {future}
        with pytest.raises(CancelledError):
            future.result()
        assert played.take().header["op"] == "cancel"

        played.answer = echo
        assert client.process(b"y", preset="p", timeout_s=WITHIN_S).outputs[0].data == b"y"


def test_full_window_blocks_submit_until_a_reply_makes_room(played: ScriptedDaemon) -> None:
    with Client(played.endpoint, in_flight_max=2) as client, ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            client.submit(b"x", preset="p")
        first = played.take()
        played.take()
        third = pool.submit(lambda: client.submit(b"third", preset="p", timeout_s=WITHIN_S))
        with pytest.raises(TimeoutError):
            third.result(0.05)
        assert played.seen.empty()

        played.reply(first, ok(first))
        assert played.take().payload == b"third"
        third.result(WITHIN_S)


def test_full_window_beyond_the_time_limit_raises(played: ScriptedDaemon) -> None:
    with Client(played.endpoint, in_flight_max=1) as client:
        client.submit(b"x", preset="p")
        with pytest.raises(RequestTimeout, match="1 requests in flight"):
            client.submit(b"x", preset="p", timeout_s=0.05)


def test_submit_copies_what_its_caller_may_change(endpoint: str) -> None:
    frame = np.full((4, 4), 1, np.uint8)
    with Client(endpoint) as client:
        future = client.submit(frame, preset="p")
        frame[:] = 9
        with ScriptedDaemon(endpoint, answer=echo):
            assert future.result(WITHIN_S).outputs[0].data == bytes([1]) * 16


def test_threads_share_a_client_and_get_their_own_replies(played: ScriptedDaemon) -> None:
    played.answer = echo
    frames = [b"frame-%d" % number for number in range(200)]
    with Client(played.endpoint, in_flight_max=8) as client, ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda frame: client.process(frame, preset="p"), frames))

    assert [result.outputs[0].data for result in results] == frames


def test_callback_that_waits_for_another_reply_is_refused(played: ScriptedDaemon) -> None:
    told: Future[BaseException] = Future()

    def wait_in_callback(_: object) -> None:
        try:
            client.ping()
        except RuntimeError as error:
            told.set_result(error)

    with Client(played.endpoint) as client:
        future = client.submit(b"x", preset="p")
        future.add_done_callback(wait_in_callback)
        seen = played.take()
        played.reply(seen, ok(seen))

        assert "callback must not wait" in str(told.result(WITHIN_S))


def test_id_in_flight_is_refused_and_free_after_the_reply(played: ScriptedDaemon) -> None:
    with Client(played.endpoint) as client:
        future = client.submit(b"x", preset="p", id="a")
        with pytest.raises(ValueError, match="id: 'a' is in flight already"):
            client.submit(b"x", preset="p", id="a")
        seen = played.take()
        played.reply(seen, ok(seen))
        future.result(WITHIN_S)
        played.answer = echo

        assert client.process(b"x", preset="p", id="a").id == "a"


def test_reply_with_pictures_missing_ends_its_request(played: ScriptedDaemon) -> None:
    played.answer = lambda seen: ok(seen, b"first", b"second")[:-1]
    with Client(played.endpoint) as client, pytest.raises(UnreadableReply, match="2 outputs described, 1 came"):
        client.process(b"x", preset="p")


def test_garbage_and_unasked_replies_are_counted_and_do_no_harm(played: ScriptedDaemon) -> None:
    with Client(played.endpoint) as client:
        future = client.submit(b"x", preset="p")
        seen = played.take()
        for garbage in ([b""], [b"\xc1"], [b"\x80"], [b"", b"", b""]):
            played.reply(seen, garbage)
        played.reply(seen, ok(seen, b"done"))

        assert future.result(WITHIN_S).outputs[0].data == b"done"
        assert client.counters().replies_ignored == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"id": ""}, "id: 1 to 64 characters"),
        ({"id": "x" * 65}, "id: 1 to 64 characters"),
        ({"id": "~1"}, "id: '~1' begins with ~"),
        ({"timeout_s": 0}, "timeout_s: over 0"),
        ({"outputs": [{"operations": [{"op": "x" * 5000}]}]}, "header: .* at most 4096"),
        ({"layout": "RGB"}, "layout: belongs to an array"),
    ],
)
def test_argument_that_cannot_be_sent_is_refused_by_name(
    played: ScriptedDaemon, options: dict[str, object], message: str
) -> None:
    with Client(played.endpoint) as client:
        with pytest.raises(ValueError, match=message):
            client.process(b"x", **options)  # type: ignore[arg-type]  # the fault is the point
        with pytest.raises(TypeError, match="quality: no such option"):
            client.process(b"x", quality=80)  # type: ignore[call-arg]  # the fault is the point


def test_refused_argument_takes_no_room(played: ScriptedDaemon) -> None:
    played.answer = echo
    with Client(played.endpoint, in_flight_max=1) as client:
        with pytest.raises(ValueError, match="id: "):
            client.submit(b"x", preset="p", id="")

        assert client.process(b"x", preset="p", timeout_s=WITHIN_S).outputs[0].data == b"x"


def test_frame_over_the_clients_limit_is_not_sent(played: ScriptedDaemon) -> None:
    with (
        Client(played.endpoint, payload_bytes_max=10) as client,
        pytest.raises(ValueError, match="image: 11 bytes, at most 10"),
    ):
        client.process(b"x" * 11, preset="p")


@pytest.mark.parametrize("endpoint", ["nonsense", "ipc://" + "x" * 200, "gopher://127.0.0.1:70"])
def test_address_that_cannot_be_is_refused_at_once(endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint: "):
        Client(endpoint)


def test_default_address_is_the_environments_then_the_default_daemons(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMNISHOTD_ENDPOINT", raising=False)
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/tmp")  # noqa: S108 - any folder that exists
    with Client() as client:
        assert client.endpoint == "ipc:///tmp/omnishotd/frames.sock"

    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/omnishotd")
    with Client() as client:
        assert client.endpoint == "ipc:///run/omnishotd/frames.sock"

    monkeypatch.setenv("OMNISHOTD_ENDPOINT", "tcp://127.0.0.1:5555")
    with Client() as client:
        assert client.endpoint == "tcp://127.0.0.1:5555"


def test_every_error_code_is_drawn_in_the_tree_of_exceptions() -> None:
    drawn = errors.__doc__ or ""
    kinds = set(FrameRefused.__subclasses__())

    assert {kind.CODE for kind in kinds} == set(ErrorCode)
    assert all(kind.__name__ in drawn for kind in kinds)
