"""Lent memory in bad hands: only the frames of who does it fail, and nobody has the daemon read what is not his."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import pytest
import zmq

from tests.daemon import Daemon
from tests.keys import KeyRing
from tests.lent import (
    FRAME_BYTES,
    INPUT,
    NOBODY,
    RAW,
    Answer,
    Borrowing,
    Segment,
)

pytestmark = pytest.mark.timeout(90)


# ---- what is not his to lend, and what is no segment


def test_segment_of_another_user_is_not_read_for_whoever_names_it(open_daemon: Callable[..., Daemon]) -> None:
    """/etc/passwd stands for it: the daemon can read it, and it belongs to root."""
    daemon = open_daemon('frames.lent_directory="/etc"')
    uid = NOBODY if os.geteuid() == 0 else os.geteuid()
    said = subprocess.run(
        [sys.executable, "-c", LEND_AS, daemon.endpoint, str(uid), "passwd", "100"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout

    assert "BAD_REQUEST" in said
    assert "'passwd' is not yours" in said
    assert "root" not in said


LEND_AS = """
import os, sys
import msgpack, zmq
endpoint, uid, segment, size = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
context = zmq.Context()
if uid != os.geteuid():
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
socket = context.socket(zmq.DEALER)
socket.linger, socket.rcvtimeo = 0, 10_000
socket.connect(endpoint)
pixels = {"format": "raw", "width": size, "height": 1, "layout": "GRAY"}
lent = {"segment": segment, "bytes": size}
socket.send(msgpack.packb({"v": 1, "id": "a", "input": pixels, "outputs": [{"format": "raw"}], "lent": lent}))
sys.stdout.write(repr(socket.recv_multipart()))
"""


def test_own_segment_that_was_given_to_another_user_is_refused(open_daemon: Callable[..., Daemon]) -> None:
    daemon = open_daemon()
    if os.geteuid() != 0:
        # Only root can give a file away; then the one above has to do.
        return
    with Borrowing(daemon) as producer, Segment([1]) as segment:
        os.chown(segment.path, NOBODY, NOBODY)
        assert producer.ask(segment.place()).error.endswith(
            f"lent.segment: '{segment.name}' is not yours: only shared memory of your own can be lent"
        )


def test_what_is_no_regular_file_of_the_folder_is_refused(daemon_with: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = daemon_with(f'frames.lent_directory="{tmp_path}"')
    with ExitStack() as stack:
        producer = stack.enter_context(Borrowing(daemon))
        real = stack.enter_context(Segment([5], folder=tmp_path, name="real"))
        (tmp_path / "link").symlink_to(real.path)
        (tmp_path / "passwd").symlink_to("/etc/passwd")
        (tmp_path / "below").mkdir()
        (tmp_path / "below" / "real").write_bytes(real.path.read_bytes())
        os.mkfifo(tmp_path / "fifo")
        told = {
            name: producer.ask(real.place() | {"segment": name}, id=name).error
            for name in ("link", "passwd", "below", "fifo", "missing")
        }
        (tmp_path / "hidden").write_bytes(b"")
        empty = producer.ask(real.place() | {"segment": "hidden"}, id="hidden").error
        assert producer.ask(real.place(), id="real").number == 5

    assert all(error.startswith("BAD_REQUEST: lent.segment: ") for error in told.values()), told
    assert "cannot be read" in told["link"]
    assert "cannot be read" in told["passwd"]
    assert "is not yours" in told["below"]
    assert "is not yours" in told["fifo"]
    assert "there is no 'missing'" in told["missing"]
    assert empty == f"BAD_REQUEST: lent.offset: 0 and {FRAME_BYTES} more, the segment ends at 0"


@pytest.mark.parametrize(
    "name",
    [
        "../etc/passwd",
        "/etc/passwd",
        "a/b",
        "..",
        ".",
        "",
        ".hidden",
        "a\0b",
        "a b",
        "é",
        "x" * 256,
        "a\n",
        7,
        None,
        b"x",
    ],
    ids=repr,
)
def test_name_that_is_none_of_a_segment_is_refused(shared_daemon: Daemon, name: Any) -> None:
    with Borrowing(shared_daemon) as producer:
        error = producer.ask({"segment": name, "bytes": FRAME_BYTES}).error

    assert error.startswith("BAD_REQUEST: lent.segment: ")


END = FRAME_BYTES


@pytest.mark.parametrize(
    ("lent", "named"),
    [
        ({"offset": 1}, "lent.bytes"),
        ({"offset": END}, "lent.offset"),
        ({"offset": END + 1}, "lent.offset"),
        ({"offset": 1 << 48}, "lent.offset"),
        ({"offset": (1 << 48) + 1}, "lent.offset"),
        ({"offset": -1}, "lent.offset"),
        ({"offset": (1 << 64) - 1}, "lent.offset"),
        ({"offset": 1.5}, "lent.offset"),
        ({"bytes": FRAME_BYTES + 1}, "lent.bytes"),
        ({"bytes": FRAME_BYTES - 1}, "lent.bytes"),
        ({"bytes": 0}, "lent.bytes"),
        ({"bytes": 1 << 40}, "lent.bytes"),
        ({"bytes": (1 << 40) + 1}, "lent.bytes"),
        ({"bytes": -1}, "lent.bytes"),
        ({"bytes": (1 << 64) - 1}, "lent.bytes"),
        ({"bytes": "12288"}, "lent.bytes"),
        ({"more": 1}, "lent.more"),
    ],
    ids=repr,
)
def test_place_that_is_not_the_pixels_is_refused_with_its_key(
    shared_daemon: Daemon, lent: dict[str, Any], named: str
) -> None:
    with Borrowing(shared_daemon) as producer, Segment([1]) as segment:
        refused = producer.ask(segment.place() | lent, id="refused")
        right = producer.ask(segment.place(), id="right")

    assert refused.error.startswith(f"BAD_REQUEST: {named}: ")
    assert right.number == 1


@pytest.mark.parametrize("lent", [[], "x", 7, {}, {"segment": "x"}, {"bytes": 5}], ids=repr)
def test_what_says_no_place_is_refused(shared_daemon: Daemon, lent: Any) -> None:
    with Borrowing(shared_daemon) as producer:
        assert producer.ask(lent).error.startswith("BAD_REQUEST: lent")


def test_payload_beside_what_is_lent_is_refused(shared_daemon: Daemon) -> None:
    with Borrowing(shared_daemon) as producer, Segment([1]) as segment:
        told = [
            producer.ask(segment.place(), payload, id=str(len(payload))).error for payload in (b"x", bytes(FRAME_BYTES))
        ]

    assert told == ["BAD_REQUEST: lent: excludes a payload part"] * 2


def test_encoded_picture_over_the_limit_or_broken_is_refused_as_if_it_was_sent(
    daemon_with: Callable[..., Daemon],
) -> None:
    daemon = daemon_with("frames.max_frame_bytes=20000")
    with Borrowing(daemon) as producer, Segment([1] * 4) as segment:
        place = segment.place()
        broken = producer.ask(place, id="broken", input=None).error
        large = producer.ask(place | {"bytes": 20001}, id="large", input=None).error
        pixels = INPUT | {"height": 256}
        raw = producer.ask(place | {"bytes": 4 * FRAME_BYTES}, id="raw", input=pixels)

    assert broken.startswith("UNSUPPORTED_FORMAT: ")
    assert large.startswith("TOO_LARGE: lent.bytes: 20001")
    assert raw.error == ""


# ---- where nothing is lent


def test_nothing_is_lent_over_tcp(daemon_with: Callable[..., Daemon], tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    own = ring.let_in("camera")
    daemon_with(*ring.assignments())
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket, Segment([1]) as segment:
        socket.linger, socket.rcvtimeo = 0, 10_000
        socket.curve_serverkey, socket.curve_secretkey = ring.daemon.public.encode(), own.secret.encode()
        socket.curve_publickey = own.public.encode()
        socket.connect(ring.endpoint)
        socket.send(msgpack.packb({"v": 1, "id": "a", "input": INPUT, "outputs": RAW, "lent": segment.place()}))
        header, *pictures = socket.recv_multipart()

    assert Answer(msgpack.unpackb(header), pictures).error.startswith("BAD_REQUEST: lent: only over a unix socket")


def test_daemon_that_borrows_nothing_says_so(daemon_with: Callable[..., Daemon]) -> None:
    daemon = daemon_with('frames.lent_directory=""')
    with Borrowing(daemon) as producer, Segment([1]) as segment:
        assert producer.ask(segment.place()).error == "BAD_REQUEST: lent: not taken here"
    # The way by which workers get segments is not there at all.
    assert not list(daemon.directory.glob("*.lent"))


@pytest.fixture(scope="module")
def shared_daemon() -> Iterator[Daemon]:
    """One for all tests that only ask what is refused."""
    with tempfile.TemporaryDirectory(prefix="oms-") as folder, Daemon(Path(folder)) as daemon:
        yield daemon
