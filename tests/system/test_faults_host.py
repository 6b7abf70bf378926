"""A host that gives less than it should: shared memory too small, a full disk under the log, parts of /proc missing."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from omnishotd.client import Client
from tests.daemon import Daemon
from tests.enclosure import behind
from tests.neighbour import OUTPUTS, neighbour
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.waiting import all_ended, eventually

SHM = "/dev/shm"  # noqa: S108 - the kernel's fixed place of POSIX shared memory
EXIT_NO_MEMORY = 71


def shared_memory_of(size: str) -> str:
    """The command that puts a /dev/shm of this size in the place of the host's."""
    return f"mount -t tmpfs -o size={size} tmpfs {SHM}"


@contextmanager
def used_bytes_of(daemon: Daemon) -> Iterator[Callable[[], int]]:
    """Tell what is in use of the /dev/shm that this daemon sees; it can be asked when the daemon is gone as well."""
    place = os.open(f"/proc/{daemon.process.pid}/root{SHM}", os.O_RDONLY | os.O_DIRECTORY)

    def used() -> int:
        room = os.fstatvfs(place)
        return (room.f_blocks - room.f_bfree) * room.f_frsize

    try:
        yield used
    finally:
        os.close(place)


@pytest.mark.timeout(60)
def test_everything_killed_at_once_gives_all_shared_memory_back_and_the_next_start_serves(
    runtime_directory: Path,
) -> None:
    arena_mb = 200
    settings = f"memory.arena_mb={arena_mb}"
    with Daemon(runtime_directory, settings, wrapper=behind(shared_memory_of("300m"))) as daemon:
        processes = [psutil.Process(pid) for pid in daemon.all_pids()]
        with used_bytes_of(daemon) as used:
            with Client(endpoint=daemon.endpoint) as client:
                client.process(numbered_jpeg(1, 640, 480), outputs=OUTPUTS)
                assert used() >= arena_mb << 20
                for process in processes:
                    process.suspend()
                # Nobody gets to do anything about the death of another.
                for process in processes:
                    process.kill()
            assert daemon.wait() == -signal.SIGKILL
            eventually(lambda: all_ended(processes), within_s=5.0, what="all have ended")
            eventually(lambda: used() == 0, within_s=5.0, what="the arena is gone")

    with Daemon(runtime_directory, settings) as again, Client(endpoint=again.endpoint) as client:
        result = client.process(numbered_jpeg(2, 640, 480), outputs=OUTPUTS)
    assert number_of_jpeg(result.outputs[0].data) == 2


@pytest.mark.timeout(60)
def test_arena_that_finds_no_room_is_one_line_and_leaves_no_part_of_itself(runtime_directory: Path) -> None:
    serve = [sys.executable, "-P", "-m", "omnishotd", "serve", "--port", "0", "--set", "memory.arena_mb=200"]
    told = f"""("$@"); status=$?; df --output=used -B1 {SHM} | tail -n 1; exit $status"""
    outcome = subprocess.run(
        [*behind(shared_memory_of("100m")), "sh", "-c", told, "sh", *serve],
        env=os.environ | {"RUNTIME_DIRECTORY": str(runtime_directory)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert outcome.returncode == EXIT_NO_MEMORY
    assert outcome.stdout.split() == ["0"]
    (line,) = outcome.stderr.splitlines()
    for words in ("needs 200 MiB", "100 MiB are free", "memory.arena_mb"):
        assert words in line
    assert list(runtime_directory.glob("*.sock")) == []


class Quiet:
    """A daemon of which nothing can be learned from its log."""

    def __init__(self, runtime_directory: Path, command: list[str]) -> None:
        self.endpoint = f"ipc://{runtime_directory}/frames.sock"
        reader, writer = os.pipe()
        self.process = subprocess.Popen(
            [*command, sys.executable, "-P", "-m", "omnishotd", "serve", "--port", "0", "--ready-fd", str(writer)],
            pass_fds=[writer],
            env=os.environ | {"RUNTIME_DIRECTORY": str(runtime_directory)},
        )
        os.close(writer)
        self.is_ready = os.read(reader, 1) == b"R"
        os.close(reader)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()


@pytest.mark.timeout(60)
def test_log_on_a_full_disk_costs_its_lines_and_nothing_else(runtime_directory: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    fill = f"mount -t tmpfs -o size=64k tmpfs {disk} && head -c 64k /dev/zero > {disk}/log"
    daemon = Quiet(runtime_directory, [*behind(f"{fill} && exec 2>> {disk}/log")])
    try:
        assert daemon.is_ready
        before = {child.pid for child in daemon.children()}
        with Client(endpoint=daemon.endpoint) as client:
            for number in range(100):
                result = client.process(numbered_jpeg(number, 320, 240), outputs=OUTPUTS)
                assert number_of_jpeg(result.outputs[0].data) == number
            # A death is told by every process that has to do with it, and none of them dies of that.
            victim = next(child for child in daemon.children() if "stages.worker" in child.cmdline())
            victim.kill()
            eventually(
                lambda: not victim.is_running() and len(daemon.children()) == len(before),
                within_s=10.0,
                what="it is started again",
            )
            assert before - {child.pid for child in daemon.children()} == {victim.pid}
            client.process(numbered_jpeg(1, 320, 240), outputs=OUTPUTS)
        assert Path(f"/proc/{daemon.process.pid}/root{disk}/log").stat().st_size == 64 << 10
        daemon.process.terminate()
        assert daemon.process.wait(20) == 0
    finally:
        daemon.process.kill()
        daemon.process.wait()


@pytest.mark.timeout(60)
def test_proc_without_the_host_s_figures_costs_those_figures_and_nothing_else(runtime_directory: Path) -> None:
    """As with systemd's ProcSubset=pid: there is no /proc/meminfo, no /proc/stat, no /proc/sys."""
    wrapper = behind("mount -t proc -o subset=pid proc /proc", process_table=True)
    with Daemon(runtime_directory, wrapper=wrapper) as daemon:
        (supervisor,) = psutil.Process(daemon.process.pid).children()
        try:
            with neighbour(daemon) as beside:
                beside.is_served_again()
            eventually(daemon.is_ready_again, within_s=10.0, what="frames are taken")
            analysis = eventually(lambda: known(daemon), within_s=10.0, what="memory of every process is known")
            assert daemon.get("/health")[0] == 200
            assert daemon.metrics()["restarts"]["total"] == 0
            assert daemon.get("/api/services/health")[0] == 200
            system = daemon.metrics()["system"]
            assert (system["cpu_percent"], system["memory_percent"]) == (None, None)
            assert analysis["verdict"] == "stable"
            assert [line for line in daemon.log if '"level": "ERROR"' in line or "Traceback" in line] == []
        finally:
            supervisor.terminate()
        assert daemon.wait() == 0


def known(daemon: Daemon) -> Any:
    """Ask for the analysis; None as long as it does not tell of all processes."""
    analysis = daemon.get("/api/memory-analysis")[1]
    return analysis if all(process["pss_bytes"] for process in analysis["processes"]) else None
