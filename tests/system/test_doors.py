"""Who gets frames into a real daemon, over TCP and over unix sockets, and what those cost who do not."""

import grp
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from ipc.sockets import HANDSHAKE_MS
from omnishotd.client import Client, RequestTimeout
from tests.daemon import Daemon
from tests.keys import KeyRing
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.photographs import decoded, photograph_jpeg
from tests.waiting import eventually

BARE_PRODUCER = Path(__file__).parent / "bare_producer.py"
SECOND_PRODUCER = Path(__file__).parent / "second_producer.py"
NOBODY = 65534
WITHIN_S = 15.0
STALLED = 200
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32)


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path)


def number_through(client: Client, number: int) -> int:
    """Send a picture with a number in it, and read the number that comes back."""
    output = {"operations": [{"op": "resize", "width": 96, "height": 64, "fit": "fill"}], "quality": 90}
    result = client.process(numbered_jpeg(number, 320, 240), outputs=output, timeout_s=WITHIN_S)
    return number_of_jpeg(result.outputs[0].data)


def test_producer_written_from_the_protocol_document_alone_gets_its_picture_over_tcp(
    daemon_with: Callable[..., Daemon], ring: KeyRing, tmp_path: Path
) -> None:
    own = ring.let_in("camera")
    daemon_with(*ring.assignments())
    source, target = tmp_path / "in.jpg", tmp_path / "out.jpg"
    source.write_bytes(photograph_jpeg(800))
    outcome = subprocess.run(
        [sys.executable, BARE_PRODUCER, ring.endpoint, source, "120", target, ring.daemon.public, own.file],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert outcome.returncode == 0, outcome.stderr
    assert json.loads(outcome.stdout)["status"] == "ok"
    assert decoded(target.read_bytes()).shape[:2] == (120, 120)


def test_strangers_get_nothing_and_are_told_why_while_others_are_served(
    daemon_with: Callable[..., Daemon], ring: KeyRing
) -> None:
    own, stranger = ring.let_in("camera"), ring.pair("stranger")
    daemon = daemon_with(*ring.assignments())
    told = []
    with Client(daemon.endpoint) as neighbour, ring.client(own) as camera:
        for outsider in (
            ring.client(stranger),
            Client(ring.endpoint),
            Client(ring.endpoint, server_key=stranger.public, key_file=own.file),
        ):
            with outsider:
                future = outsider.submit(numbered_jpeg(1, 320, 240), preset="thumbnail", timeout_s=2)
                assert [number_through(client, 7) for client in (neighbour, camera)] == [7, 7]
                with pytest.raises(RequestTimeout) as caught:
                    future.result(WITHIN_S)
                told.append(str(caught.value))

    assert "the daemon does not know this producer's key" in told[0]
    assert "keys (server_key and key_file)" in told[1]
    assert "is server_key the public key of the daemon there?" in told[2]
    assert any(stranger.public in json.loads(line)["message"] for line in daemon.log)
    assert daemon.frames_at_rest(6)["received"] == 6


def times_empty(daemon: Daemon) -> int:
    """How often the folder was read and held no key."""
    return sum("nobody can connect over TCP" in line for line in daemon.log)


def test_key_is_taken_at_a_reload_and_one_that_is_gone_is_not_heard_any_more(
    daemon_with: Callable[..., Daemon], ring: KeyRing
) -> None:
    daemon = daemon_with(*ring.assignments())
    camera = ring.let_in("camera")
    with ring.client(camera) as client:
        daemon.process.send_signal(signal.SIGHUP)
        assert number_through(client, 3) == 3

        ring.turn_out("camera")
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: times_empty(daemon) == 2, within_s=WITHIN_S, what="the empty folder is read again")
        with pytest.raises(RequestTimeout):
            client.process(numbered_jpeg(1, 320, 240), preset="thumbnail", timeout_s=1)
    with Client(daemon.endpoint) as neighbour:
        assert number_through(neighbour, 4) == 4


def test_door_over_tcp_is_as_it_was_after_the_broker_was_killed(
    daemon_with: Callable[..., Daemon], ring: KeyRing
) -> None:
    own, stranger = ring.let_in("camera"), ring.pair("stranger")
    daemon = daemon_with(*ring.assignments())
    with ring.client(own) as camera, ring.client(stranger) as outsider:
        assert number_through(camera, 1) == 1
        [broker] = daemon.pids("broker")
        os.kill(broker, signal.SIGKILL)
        assert number_through(camera, 2) == 2
        with pytest.raises(RequestTimeout, match="does not know this producer's key"):
            outsider.ping(timeout_s=2)


# ---- unix sockets


def test_unix_socket_has_the_mode_and_the_group_that_were_asked_for(
    daemon_with: Callable[..., Daemon], runtime_directory: Path
) -> None:
    other = next((one for one in grp.getgrall() if one.gr_gid in os.getgroups() and one.gr_gid != os.getegid()), None)
    if os.geteuid() == 0:
        other = next(one for one in grp.getgrall() if one.gr_gid != os.getegid())
    group = other or grp.getgrgid(os.getegid())
    daemon_with('frames.socket_mode="0620"', f"frames.socket_group={group.gr_name}")
    made = (runtime_directory / "frames.sock").stat()

    assert (made.st_gid, stat.S_IMODE(made.st_mode)) == (group.gr_gid, 0o620)
    for internal in ("work.sock", "telemetry.sock"):
        assert stat.S_IMODE((runtime_directory / internal).stat().st_mode) == 0o600


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can look into."""
    with tempfile.TemporaryDirectory(prefix="oms-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("uid", sorted({os.geteuid(), NOBODY if os.geteuid() == 0 else os.geteuid()}))
def test_same_names_are_the_same_request_for_one_user_and_for_another_are_not(
    daemon_with: Callable[..., Daemon], open_folder: Path, uid: int
) -> None:
    endpoint = f"ipc://{open_folder}/frames.sock"
    daemon_with(f"frames.endpoints=['{endpoint}']", 'frames.socket_mode="0666"')

    def trace(user: int) -> str:
        command = [sys.executable, str(SECOND_PRODUCER), endpoint, str(user)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        return str(json.loads(ended.stdout)["trace"])

    assert (trace(uid) == trace(os.geteuid())) is (uid == os.geteuid())


# ---- those who only want to be in the way


def stall(ring: KeyRing, daemon: Daemon, stack: ExitStack, count: int) -> list[socket.socket]:
    """Connect again and again, say nothing or half of what is to be said, and stay."""
    said = [b"", GREETING[:1], GREETING[:11], GREETING]
    stalled = []
    for number in range(count):
        if number % 4:
            raw = socket.create_connection(("127.0.0.1", ring.port), timeout=WITHIN_S)
        else:
            raw = socket.socket(socket.AF_UNIX)
            # Without a time limit it waits where the line of those who come is full.
            raw.connect(daemon.endpoint.removeprefix("ipc://"))
        stack.enter_context(raw)
        raw.sendall(said[number // 4 % len(said)])
        stalled.append(raw)
    return stalled


def is_closed(raw: socket.socket) -> bool:
    """Read what there is, and tell whether that was all there will ever be."""
    try:
        while select.select([raw], [], [], 0)[0]:
            if not raw.recv(4096):
                return True
    except ConnectionError:
        return True
    return False


@pytest.mark.timeout(60)
def test_stalled_handshakes_are_closed_in_time_and_nobody_waits_for_them(
    daemon_with: Callable[..., Daemon], ring: KeyRing
) -> None:
    own = ring.let_in("camera")
    daemon = daemon_with(*ring.assignments())
    with ExitStack() as stack, ring.client(own) as camera, Client(daemon.endpoint) as neighbour:
        assert [number_through(client, 1) for client in (camera, neighbour)] == [1, 1]
        left = stall(ring, daemon, stack, STALLED)
        began_s = time.monotonic()
        took_s = []
        while left:
            for client in (camera, neighbour):
                sent_s = time.monotonic()
                assert number_through(client, 2) == 2
                took_s.append(time.monotonic() - sent_s)
            left = [raw for raw in left if not is_closed(raw)]
            assert time.monotonic() - began_s < 2 * HANDSHAKE_MS / 1000, f"{len(left)} are still open"
        with ring.client(own) as latecomer:
            assert number_through(latecomer, 3) == 3

    took_s.sort()
    assert took_s[len(took_s) * 99 // 100] < 1.0


@pytest.mark.timeout(60)
def test_garbage_over_tcp_is_cut_off_and_others_are_served(daemon_with: Callable[..., Daemon], ring: KeyRing) -> None:
    own = ring.let_in("camera")
    daemon = daemon_with(*ring.assignments())
    before = daemon.all_pids()
    noise = [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01" + bytes(600), bytes(5000), b"\xff" * 5000]
    noise += [GREETING + b"\x06" + (32 << 20).to_bytes(8, "big") + bytes(1 << 20)]
    noise += [GREETING + each for each in (b"\x00" * 300, b"\x06" + b"\xff" * 300, b"\x04\xff\x05HELLO" + bytes(300))]
    with ring.client(own) as camera, ExitStack() as stack:
        raws = [stack.enter_context(socket.create_connection(("127.0.0.1", ring.port))) for _ in noise]
        for raw, data in zip(raws, noise, strict=True):
            raw.sendall(data)
            assert number_through(camera, 5) == 5
        for raw, data in zip(raws, noise, strict=True):
            eventually(partial(is_closed, raw), within_s=WITHIN_S, what=f"{data[:20]!r} is cut off")

    assert daemon.all_pids() == before
    daemon.frames_at_rest(len(noise))
