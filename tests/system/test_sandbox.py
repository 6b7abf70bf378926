"""Workers are shut in: from inside one of a real daemon every door is tried, and the pictures still come out."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyseccomp  # type: ignore[import-untyped]  # it has annotations, but no py.typed
import pytest

from omnishotd.client import Client, TooLarge
from stages import landlock
from tests.daemon import Daemon
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.photographs import photograph_jpeg
from tests.system import burglar
from tests.waiting import eventually

SHUT: Final = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS})
OUTPUTS: Final = [{"operations": [{"op": "resize", "width": 96, "height": 64, "fit": "fill"}], "quality": 90}]
SURELY_OPEN: Final = (
    "open a file",
    "open its own figures",
    "look at a file",
    "make a file in memory",
    "map code",
    "make a unix socket",
    "make an internet socket",
    "make a netlink socket",
    "make a process",
    "signal its supervisor",
    "take hold of another",
    "read a file",
    "write a file",
    "share memory",
    "connect as a producer",
    "call home",
    "run a program",
    "spawn a program",
    "load a module",
)
"""What any process may do, whoever runs it and on whatever kernel."""

NO_LIBSECCOMP: Final = """
import ctypes.util

find = ctypes.util.find_library
ctypes.util.find_library = lambda name: None if name == "seccomp" else find(name)
"""


@pytest.fixture
def burgled_with(runtime_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Starts a daemon whose first worker holds the burglar, has him try all doors, and returns what came of it."""
    calls = {call for call, _ in burglar.BARE.values()} | {"clone"}
    numbers = {
        call: number for call in calls if (number := pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, call)) >= 0
    }
    told = json.dumps({"numbers": numbers, "socket": f"{runtime_directory}/frames.sock"})
    (tmp_path / burglar.NUMBERS_FILE).write_text(told, encoding="ascii")
    shutil.copy(burglar.__file__, tmp_path / "sitecustomize.py")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    @contextmanager
    def burgled(*assignments: str) -> Iterator[tuple[Daemon, dict[str, int]]]:
        with Daemon(runtime_directory, *assignments) as daemon:
            yield daemon, doors_tried(daemon)

    return burgled


def doors_tried(daemon: Daemon) -> dict[str, int]:
    """Send marked pictures until one has met the burglar, and read in the log what came of the doors."""
    with Client(endpoint=daemon.endpoint) as client:

        def reported() -> dict[str, int]:
            data = numbered_jpeg(7, burglar.MARKER_WIDTH, 222)
            assert number_of_jpeg(client.process(data, outputs=OUTPUTS, timeout_s=20).outputs[0].data) == 7
            lines = [json.loads(line) for line in daemon.log if f'"{burglar.LOG_MESSAGE}"' in line]
            doors: dict[str, int] = lines[0]["doors"] if lines else {}
            return doors

        return eventually(reported, within_s=20.0, what="a worker has met the burglar")


def serves(daemon: Daemon) -> None:
    """See that frames of all sizes go on coming out right."""
    with Client(endpoint=daemon.endpoint) as client:
        for number in range(40):
            data = numbered_jpeg(number, 200 + 40 * number, 150)
            assert number_of_jpeg(client.process(data, outputs=OUTPUTS, timeout_s=20).outputs[0].data) == number


def sandbox_check(daemon: Daemon) -> dict[str, str]:
    """What /health says of the sandbox, when all workers have been heard."""
    check: dict[str, str] = eventually(
        lambda: (told := daemon.get("/health")[1]["checks"]["sandbox"])["detail"] != "unknown" and told,
        within_s=10.0,
        what="the workers have been heard",
    )
    return check


@pytest.mark.timeout(90)
def test_every_door_is_shut_from_inside_and_pictures_still_come_out(burgled_with: Callable[..., Any]) -> None:
    with burgled_with() as (daemon, doors):
        pids = daemon.all_pids()
        serves(daemon)
        check = sandbox_check(daemon)
        pids_after = daemon.all_pids()

    left_open = {door: errno.errorcode.get(reason, "open") for door, reason in doors.items() if reason not in SHUT}
    assert left_open == {}
    assert len(doors) > 90
    assert pids_after == pids
    assert check["status"] == "ok"
    assert check["detail"].startswith(f"auto: no_new_privileges, landlock {landlock.version()}, seccomp, at most ")


@pytest.mark.timeout(90)
def test_doors_are_open_where_the_sandbox_is_off(burgled_with: Callable[..., Any]) -> None:
    with burgled_with("sandbox.mode=off") as (daemon, doors):
        serves(daemon)
        check = sandbox_check(daemon)

    assert {door: doors[door] for door in SURELY_OPEN} == dict.fromkeys(SURELY_OPEN, 0)
    assert check["status"] == "ok"
    assert check["detail"].startswith("off: ")


def test_worker_has_nothing_open_but_its_messages(daemon: Daemon) -> None:
    """No file, no other process, and not the arena, which it could cut short under all others."""
    for pid in daemon.pids("decode") + daemon.pids("transform") + daemon.pids("encode"):
        opened = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
        kinds = {what.split(":")[0] for what in opened if not what.startswith("/")}
        files = {what.replace(str(pid), "PID") for what in opened if what.startswith("/")}
        # By which a later supervisor sees that this one's children still live; nothing is in it.
        files.discard(f"{daemon.directory}/children.lock")

        assert kinds <= {"socket", "pipe", "anon_inode"}, opened
        assert files == {"/dev/null", "/proc/PID/statm"}, opened


@pytest.mark.timeout(60)
def test_daemon_that_must_shut_workers_in_and_cannot_refuses_to_start(
    runtime_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_LIBSECCOMP, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    daemon = Daemon(runtime_directory, "sandbox.mode=required")

    assert not daemon.is_ready
    assert daemon.wait() == 78
    reasons = [line for line in daemon.log if "sandbox.mode is required" in line]
    assert reasons, daemon.log  # one of each worker that came so far before the first of them ended it all
    assert "seccomp: libseccomp cannot be loaded" in reasons[0]
    assert not any("Traceback" in line for line in daemon.log)


@pytest.mark.timeout(60)
def test_daemon_that_cannot_shut_workers_in_by_all_serves_and_says_what_is_missing(
    runtime_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_LIBSECCOMP, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Daemon(runtime_directory) as daemon:
        serves(daemon)
        check = sandbox_check(daemon)

    assert check["status"] == "ok"
    assert "; missing: seccomp (decode-0, " in check["detail"]


@pytest.mark.timeout(60)
def test_frame_that_needs_more_memory_than_a_worker_may_have_fails_alone(daemon_with: Callable[..., Daemon]) -> None:
    daemon = daemon_with("memory.worker_limit_mb=128", "pipeline.whole_frame_pixels_max=100000000")
    # A decoder keeps all coefficients of a progressive picture: 6 bytes a pixel, 216 MB.
    hungry = photograph_jpeg(6000, quality=40, progressive=True, subsampling=0)
    pids = daemon.all_pids()
    with Client(endpoint=daemon.endpoint) as client:
        neighbours = [client.submit(numbered_jpeg(number, 320, 240), outputs=OUTPUTS) for number in range(8)]
        starving = [client.submit(hungry, preset="thumbnail") for _ in range(3)]
        neighbours += [client.submit(numbered_jpeg(number, 320, 240), outputs=OUTPUTS) for number in range(8, 16)]
        numbers = [number_of_jpeg(future.result(30).outputs[0].data) for future in neighbours]
        refusals = [future.exception(30) for future in starving]

    assert numbers == list(range(16))
    assert all(isinstance(refusal, TooLarge) for refusal in refusals), refusals
    assert all("memory.worker_limit_mb" in str(refusal) for refusal in refusals)
    assert daemon.all_pids() == pids


def test_kernel_ends_workers_first_and_the_supervisor_last(daemon: Daemon) -> None:
    def score(pid: int) -> int:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text(encoding="ascii"))

    own = score(os.getpid())
    assert score(daemon.process.pid) == own
    assert {score(pid) for pid in daemon.pids("decode") + daemon.pids("encode")} == {max(600, own)}
    assert [score(pid) for pid in daemon.pids("broker")] == [max(300, own)]
    assert [score(pid) for pid in daemon.pids("control")] == [max(400, own)]
