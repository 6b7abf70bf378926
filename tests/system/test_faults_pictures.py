"""Small files that ask for much: refused from their headers, with nothing of the arena taken, or ended by a worker."""

from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import psutil
import pytest
import zmq

from tests import pngs
from tests.daemon import Daemon, connect
from tests.hostile import webp
from tests.neighbour import OUTPUTS, neighbour
from tests.numbered import numbered_jpeg
from tests.photographs import photograph_jpeg
from tests.stages.jpegs import exif, frame_header, header, scan_header, segment

RSS_GROWTH_BYTES_MAX = 16 << 20
LARGE = 16_000_000
"""Bytes: just what `frames.max_frame_bytes` lets in."""


def jpeg_header_of(width: int, height: int) -> bytes:
    return header(frame_header(width, height), scan_header()) + bytes(100)


def png_header_of(width: int, height: int) -> bytes:
    return pngs.SIGNATURE + pngs.ihdr(width, height, pngs.RGBA) + pngs.chunk(b"IDAT", bytes(40))


def webp_header_of(width: int, height: int) -> bytes:
    return webp.riff(webp.chunk(b"VP8 ", webp.vp8_header(width, height) + bytes(40)))


def raw_of(width: int, height: int) -> dict[str, Any]:
    return {"input": {"format": "raw", "width": width, "height": height, "layout": "RGBA"}}


def enlarged_to(side: int) -> dict[str, Any]:
    return {"outputs": [{"operations": [{"op": "resize", "width": side, "height": side, "fit": "fill"}]}]}


HUGE: list[tuple[bytes, dict[str, Any], str]] = [
    (jpeg_header_of(65_500, 65_500), {}, "TOO_LARGE"),
    (jpeg_header_of(65_535, 1), {}, "TOO_LARGE"),
    (jpeg_header_of(1, 65_535), {}, "TOO_LARGE"),
    (jpeg_header_of(16_383, 16_383), {}, "TOO_LARGE"),
    (jpeg_header_of(14_000, 14_000), {}, "TOO_LARGE"),
    (jpeg_header_of(0, 65_535), {}, "BAD_IMAGE"),
    (png_header_of((1 << 31) - 1, (1 << 31) - 1), {}, "TOO_LARGE"),
    (webp_header_of(16_383, 16_383), {}, "TOO_LARGE"),
    (bytes(4), raw_of(65_500, 65_500), "TOO_LARGE"),
    (bytes(4), raw_of(7_000, 7_000), "BAD_REQUEST"),
    (numbered_jpeg(1, 64, 64), enlarged_to(65_500), "TOO_LARGE"),
    (numbered_jpeg(1, 64, 64), enlarged_to(16_000), "TOO_LARGE"),
]
"""What is sent, with what in its header, and what must be the answer."""


def ask(socket: zmq.Socket[bytes], payload: bytes, **keys: Any) -> Any:
    """Send a frame, and return its reply's header."""
    socket.send_multipart([msgpack.packb({"v": 1, "id": "a", "outputs": OUTPUTS, **keys}), payload])
    return msgpack.unpackb(socket.recv_multipart()[0])


@pytest.mark.timeout(60)
def test_huge_dimensions_in_tiny_files_are_refused_and_nothing_is_taken(daemon: Daemon) -> None:
    processes = [psutil.Process(pid) for pid in daemon.all_pids()]
    with zmq.Context() as context, connect(context, daemon.endpoint) as socket:
        socket.rcvtimeo = 10_000
        # Warmed up, so that no first frame's cost is mistaken for theirs.
        assert ask(socket, numbered_jpeg(1, 64, 64))["status"] == "ok"
        daemon.frames_at_rest(1)
        arena, rss_bytes = daemon.metrics()["arena"], [process.memory_info().rss for process in processes]
        replies = [ask(socket, payload, id=str(number), **keys) for number, (payload, keys, _) in enumerate(HUGE)]

    assert [reply["error"]["code"] for reply in replies] == [code for _, _, code in HUGE]
    daemon.frames_at_rest(1 + len(HUGE))
    assert daemon.metrics()["arena"]["high_water_bytes"] == arena["high_water_bytes"]
    assert daemon.metrics()["stages"]["decode"]["completed"] == 1
    for process, before_bytes in zip(processes, rss_bytes, strict=True):
        assert process.memory_info().rss < before_bytes + RSS_GROWTH_BYTES_MAX, process.cmdline()


def scan_bomb(scans: int) -> bytes:
    data = photograph_jpeg(256, progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + b"\xff\xd9"


PROGRESSIVE = header(frame_header(sof=0xC2), scan_header(1))
BOMBS: dict[str, bytes] = {
    "scans": scan_bomb(1000),
    "scans of nothing": header(frame_header(sof=0xC2), scan_header(1) * 60) + b"\xff" * LARGE + b"\xff\xda" * 80,
    "markers among scans": PROGRESSIVE + segment(0xFE, b"\xff\xda") * (LARGE // 6),
    "stuffing": PROGRESSIVE + b"\xff\x00" * (LARGE // 2),
    "restarts": PROGRESSIVE + b"\xff\xd0" * (LARGE // 2),
    "fill": b"\xff\xd8" + b"\xff" * LARGE,
    "comments": header() + segment(0xFE, b"") * (LARGE // 4),
    "exif": header(*[exif(9)] * 1000, frame_header(), scan_header()) + bytes(LARGE // 2),
}
"""Of a few megabytes each, that a reader could be busy with for long."""


@pytest.mark.timeout(120)
def test_bombs_are_refused_while_a_neighbour_is_served(daemon: Daemon) -> None:
    before = daemon.all_pids()
    with neighbour(daemon, answer_within_s=5.0) as beside, zmq.Context() as context:
        with connect(context, daemon.endpoint) as socket:
            socket.rcvtimeo = 20_000
            codes = {name: ask(socket, bomb, id=name)["error"]["code"] for name, bomb in BOMBS.items()}
        beside.is_served_again()

    assert codes == dict.fromkeys(BOMBS, "BAD_IMAGE")
    assert daemon.all_pids() == before
    daemon.frames_at_rest(len(BOMBS) + beside.served)
