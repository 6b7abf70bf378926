"""Broken and hostile pictures and messages: a typed error each, no worker dies, neighbours come out right."""

import random
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import pytest
import zmq

from tests.daemon import Daemon, connect
from tests.numbered import number_of_jpeg, numbered_jpeg

FIXTURES = Path(__file__).parent.parent / "fixtures"
OUTPUTS = [{"operations": [{"op": "resize", "width": 96, "height": 64, "fit": "fill"}], "quality": 90}]
REFUSALS = {"BAD_IMAGE", "UNSUPPORTED_FORMAT", "TOO_LARGE"}


def hostile_pictures() -> list[bytes]:
    chance = random.Random(20260512)
    good = numbered_jpeg(1, 320, 240)
    pictures = [(FIXTURES / name).read_bytes() for name in ("sof3_gray_64.jpg", "sof3_rgb_64.jpg")]
    pictures += [good[:length] for length in range(0, len(good) - 2, len(good) // 25)]
    pictures += [chance.randbytes(length) for length in (1, 2, 64, 4096, 100_000)]
    pictures += [b"\xff\xd8" + chance.randbytes(5000), good[:200] + chance.randbytes(3000)]
    return pictures


@pytest.mark.timeout(60)
def test_hostile_pictures_get_a_typed_error_and_harm_nobody(daemon: Daemon) -> None:
    before = daemon.all_pids()
    pictures = hostile_pictures()
    outcomes: dict[str, str] = {}
    with zmq.Context() as context, connect(context, daemon.endpoint) as socket:
        socket.rcvtimeo = 10_000
        for index, picture in enumerate(pictures):
            for name, payload in ((f"bad-{index}", picture), (f"good-{index}", numbered_jpeg(index, 320, 240))):
                socket.send_multipart([msgpack.packb({"v": 1, "id": name, "outputs": OUTPUTS}), payload])
        for _ in range(2 * len(pictures)):
            parts = socket.recv_multipart()
            reply: dict[str, Any] = msgpack.unpackb(parts[0])
            if reply["status"] == "ok":
                outcomes[reply["id"]] = f"ok {number_of_jpeg(parts[1])}"
            else:
                outcomes[reply["id"]] = reply["error"]["code"]

    for index in range(len(pictures)):
        assert outcomes[f"good-{index}"] == f"ok {index}"
        assert outcomes[f"bad-{index}"] in REFUSALS, f"hostile picture {index}"
    assert daemon.all_pids() == before
    daemon.frames_at_rest(2 * len(pictures))


HEADERS: list[tuple[list[bytes], str]] = [
    ([b""], "BAD_REQUEST"),
    ([b"\xc1"], "BAD_REQUEST"),
    ([msgpack.packb([1, 2])], "BAD_REQUEST"),
    ([msgpack.packb({"v": 2, "id": "x"})], "UNSUPPORTED_VERSION"),
    ([msgpack.packb({"v": 1, "id": "x", "preset": "thumbnail"})], "BAD_REQUEST"),
    ([msgpack.packb({"v": 1, "id": "x", "preset": "nosuch"}), b"x"], "UNKNOWN_PRESET"),
    ([msgpack.packb({"v": 1, "id": "x", "preset": "thumbnail"}), b"a", b"b"], "BAD_REQUEST"),
    ([msgpack.packb({"v": 1, "id": "x", "preset": "thumbnail", "speed": 9}), b"a"], "BAD_REQUEST"),
    ([b"\x00" * 5000, b"x"], "BAD_REQUEST"),
    ([msgpack.packb({"v": 1, "id": "x", "preset": "thumbnail"}), b"x" * (17 << 20)], "TOO_LARGE"),
]


def test_wrong_messages_get_one_error_each_and_the_next_frame_is_served(daemon: Daemon) -> None:
    with zmq.Context() as context, connect(context, daemon.endpoint) as socket:
        socket.rcvtimeo = 10_000
        for index, (parts, code) in enumerate(HEADERS):
            # A REQ-like delimiter keeps a first empty part from being taken for one.
            socket.send_multipart([b"", *parts])
            reply = msgpack.unpackb(socket.recv_multipart()[1])
            assert reply["error"]["code"] == code, index
        socket.send_multipart([b""])
        good = {"v": 1, "id": "good", "outputs": OUTPUTS}
        socket.send_multipart([msgpack.packb(good), numbered_jpeg(3, 320, 240)])
        parts = socket.recv_multipart()

    assert msgpack.unpackb(parts[0])["status"] == "ok"
    assert number_of_jpeg(parts[1]) == 3
