"""A machine for tests: a real systemd as the first process of its own namespaces, up in a third of a second.

It sees this machine's files, and what it writes stays in memory; it has a network, devices and processes of its own.
All of it ends with the process that made it.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from tests.waiting import eventually

BOOT: Final = Path(__file__).with_name("boot.sh")
BOOT_WITHIN_S: Final = 20.0
PROGRAMS: Final = ("setpriv", "unshare", "pivot_root", "nsenter", "systemctl", "systemd-analyze", "systemd-sysusers")
CGROUP_PREFIX: Final = "omnishotd-test-"
_ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


class HostUnavailable(Exception):
    """Here no such machine can be had. Says why."""


class Host:
    """One machine. `seen` are folders of this machine by the place at which the other has them."""

    def __init__(self, seen: Mapping[str, Path]) -> None:
        found = {program: shutil.which(program) or "" for program in PROGRAMS}
        missing = [program for program, place in found.items() if not place]
        if missing:
            raise HostUnavailable(f"there is no {', '.join(missing)}; Debian: apt-get install systemd util-linux")
        if os.geteuid() != 0:
            raise HostUnavailable("only root can make the namespaces")
        self._state = Path(tempfile.mkdtemp(prefix="oms-host-"))
        self._cgroup = CGROUP_PREFIX + self._state.name.rpartition("-")[2]
        self._enter = found["nsenter"]
        self._console = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the host
        pairs = [f"{source}:{target}" for target, source in seen.items()]
        # ORDER: the death signal is asked for first, and kept by all that follows up to the fork: who kills the tests
        # ends the machine as well.
        self._process = subprocess.Popen(
            [found["setpriv"], "--pdeathsig", "KILL", "unshare", "--mount", BOOT, self._state, self._cgroup, *pairs],
            stdin=subprocess.DEVNULL,
            stdout=self._console,
            stderr=self._console,
            env=_ENVIRONMENT,
        )

    def __enter__(self) -> Self:
        try:
            eventually(self._is_up, within_s=BOOT_WITHIN_S, what="systemd is up")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything inside, and leave nothing."""
        self._process.kill()
        self._process.wait()
        self._console.close()
        self._state.rmdir()
        eventually(self._are_cgroups_gone, within_s=5.0, what="the control groups are gone")

    def path(self, inside: str) -> Path:
        """Return where a file of the machine is found from outside."""
        return Path(f"/proc/{self._first_pid()}/root{inside}")

    def run(self, *command: str, status: int = 0, timeout_s: float = 30.0, folder: str = "/") -> str:
        """Run a command inside that ends with this status; return what it said, on both of its outputs."""
        ended = subprocess.run(
            [
                self._enter,
                f"--target={self._first_pid()}",
                *("--mount", "--pid", "--ipc", "--uts", "--net", "--cgroup"),
                "env",
                f"--chdir={folder}",
                *command,
            ],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
            text=True,
            timeout=timeout_s,
        )
        assert ended.returncode == status, f"{command} ended with {ended.returncode}:\n{ended.stdout}"
        return ended.stdout

    def show(self, unit: str, *names: str) -> list[str]:
        """Return properties of a unit, in the order asked for."""
        said = self.run("systemctl", "show", unit, *(f"--property={name}" for name in names))
        values = dict(line.split("=", 1) for line in said.splitlines())
        return [values[name] for name in names]

    def journal(self, unit: str) -> list[dict[str, Any]]:
        """Return what the journal has of a unit's processes and of systemd about it, oldest first."""
        self.run("journalctl", "--sync")
        said = self.run("journalctl", "--unit", unit, "--output=json", "--no-pager", "--quiet")
        return [json.loads(line) for line in said.splitlines()]

    def pids(self, unit: str) -> list[int]:
        """List the processes of a unit, by the machine's own numbers."""
        processes = self.run("bash", "-c", f"cat /sys/fs/cgroup/system.slice/{unit}/cgroup.procs 2>/dev/null || true")
        return [int(line) for line in processes.split()]

    def _is_up(self) -> bool:
        if self._process.poll() is not None:
            self._console.seek(0)
            said = self._console.read().decode(errors="replace").strip().splitlines()
            raise HostUnavailable(f"systemd cannot be started in namespaces: {said[-1] if said else 'it said nothing'}")
        if self._first_pid() == 0 or not self.path("/run/systemd/private").is_socket():
            return False
        state = self.run("bash", "-c", "systemctl is-system-running || true").strip()
        return state in {"running", "degraded"}

    def _first_pid(self) -> int:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def _are_cgroups_gone(self) -> bool:
        for mount in re.findall(r"^\S+ (\S+) cgroup2 ", Path("/proc/mounts").read_text(), re.MULTILINE):
            for group in Path(mount).rglob(self._cgroup):
                _remove_groups(group)
                if group.exists():
                    return False
        return True


def _remove_groups(group: Path) -> None:
    """Remove a control group and those below it, as far as they are empty."""
    for below in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
        _remove_group(below)
    _remove_group(group)


def _remove_group(group: Path) -> None:
    try:
        group.rmdir()
    except OSError:
        # Its last process is just ending.
        return
