"""Starts that cannot succeed: one clear line, the documented exit status, and nothing left running."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from omnishotd.client import Client
from tests.daemon import Daemon
from tests.keys import KeyRing
from tests.numbered import number_of, number_of_jpeg, numbered_jpeg, numbered_pixels
from tests.waiting import eventually

EXIT_UNAVAILABLE = 69
EXIT_NO_MEMORY = 71
EXIT_CANNOT_CREATE = 73
EXIT_ALREADY_RUNNING = 75
EXIT_CONFIGURATION = 78
START_WITHIN_S = 20


def serve(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `omnishotd serve` to its end."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OMNISHOTD_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "omnishotd", "serve", "--log-format", "text", *arguments],
        env=environment | {"RUNTIME_DIRECTORY": str(directory)},
        capture_output=True,
        text=True,
        timeout=START_WITHIN_S,
        check=False,
    )


def the_line(outcome: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that was printed."""
    assert outcome.stdout == ""
    lines = outcome.stderr.splitlines()
    assert len(lines) == 1, outcome.stderr
    assert "Traceback" not in outcome.stderr
    return lines[0]


def test_a_second_instance_in_the_same_directory_is_refused_and_harms_nothing(daemon: Daemon) -> None:
    outcome = serve(daemon.directory, "--port", "0")

    assert outcome.returncode == EXIT_ALREADY_RUNNING
    assert f"another omnishotd runs in {daemon.directory}" in the_line(outcome)
    eventually(lambda: daemon.get("/health/ready")[0] == 200, within_s=5.0, what="the first instance is ready")


def test_a_second_instance_on_the_same_endpoint_is_refused(daemon: Daemon, tmp_path: Path) -> None:
    outcome = serve(tmp_path, "--port", "0", "--endpoint", daemon.endpoint)

    assert outcome.returncode == EXIT_ALREADY_RUNNING
    assert f"another omnishotd serves {daemon.endpoint}" in the_line(outcome)


def test_a_control_port_in_use_is_named(runtime_directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = serve(runtime_directory, "--port", str(port))

    assert outcome.returncode == EXIT_UNAVAILABLE
    assert f"127.0.0.1:{port}" in the_line(outcome)
    assert "control.port" in the_line(outcome)


def test_a_frames_address_in_use_is_named_and_nothing_stays(runtime_directory: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        settings = [argument for each in KeyRing(tmp_path).assignments() for argument in ("--set", each)]
        outcome = serve(runtime_directory, "--port", "0", *settings, "--endpoint", endpoint)

    assert outcome.returncode == EXIT_UNAVAILABLE
    assert f"cannot listen on {endpoint}: Address already in use" in the_line(outcome)


def test_a_runtime_directory_that_cannot_be_made_is_named(runtime_directory: Path) -> None:
    blocked = runtime_directory / "file"
    blocked.write_text("")
    outcome = serve(blocked / "below", "--port", "0")

    assert outcome.returncode == EXIT_CANNOT_CREATE
    assert str(blocked / "below") in the_line(outcome)


def test_a_file_that_is_no_socket_is_not_replaced_by_one(runtime_directory: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    outcome = serve(runtime_directory, "--port", "0", "--endpoint", f"ipc://{precious}")

    assert outcome.returncode == EXIT_CANNOT_CREATE
    assert f"{precious} exists and is no socket" in the_line(outcome)
    assert precious.read_text() == "precious"


def test_too_little_shared_memory_says_need_room_and_what_to_change(runtime_directory: Path) -> None:
    room = os.statvfs("/dev/shm")  # noqa: S108 - the kernel's fixed place of POSIX shared memory
    too_much_mb = (room.f_blocks * room.f_frsize >> 20) + 1024
    outcome = serve(runtime_directory, "--port", "0", "--set", f"memory.arena_mb={too_much_mb}")

    assert outcome.returncode == EXIT_NO_MEMORY
    line = the_line(outcome)
    for word in (f"{too_much_mb} MiB", "TemporaryFileSystem=", "--shm-size=", "memory.arena_mb"):
        assert word in line


def test_all_configuration_errors_are_told_at_once(runtime_directory: Path, tmp_path: Path) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text("[pipeline]\nqueue_limit = 0\nnosuch = 1\n[frames]\nmax_side = 'wide'\n")
    outcome = serve(runtime_directory, "--config", str(config))

    assert outcome.returncode == EXIT_CONFIGURATION
    for key in ("pipeline.queue_limit", "pipeline.nosuch", "frames.max_side"):
        assert key in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("stages", ['["decode"]', '["decode","encode"]'])
def test_pools_that_do_not_cover_the_stages_in_order_are_refused(runtime_directory: Path, stages: str) -> None:
    outcome = serve(runtime_directory, "--set", f"pipeline.pools=[{{stages={stages}, workers=1}}]")

    assert outcome.returncode == EXIT_CONFIGURATION
    assert "pipeline.pools" in outcome.stderr


@pytest.mark.parametrize(
    "pools",
    [
        '[{stages=["decode","transform","encode"], workers=2}]',
        '[{stages=["decode","transform"], workers=1}, {stages=["encode"], workers=1}]',
        '[{stages=["decode"], workers=1}, {stages=["transform","encode"], workers=1}]',
    ],
)
def test_every_layout_of_pools_serves(runtime_directory: Path, pools: str) -> None:
    flips = [{"op": "flip"}, {"op": "flop"}, {"op": "rotate", "angle": 180}]
    outputs: list[dict[str, Any]] = [
        {"operations": [{"op": "resize", "width": 96, "height": 64, "fit": "fill"}]},
        {"quality": 90},
        {"operations": [{"op": "grayscale"}, *flips], "format": "raw"},
    ]
    with (
        Daemon(runtime_directory, f"pipeline.pools={pools}") as daemon,
        Client(endpoint=daemon.endpoint) as client,
    ):
        encoded = [client.submit(numbered_jpeg(number, 320, 200), outputs=outputs) for number in range(20)]
        raw = [client.submit(numbered_pixels(number, 64, 48), outputs=outputs) for number in range(20)]
        for futures in (encoded, raw):
            for number, future in enumerate(futures):
                result = future.result(20)
                assert [number_of_jpeg(picture.data) for picture in result.outputs[:2]] == [number, number]
                assert number_of(result.outputs[2].array()) == number
        daemon.frames_at_rest(40)
