"""Facts about the machine and the versions, without which figures say nothing."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
import zmq

ROOT: Final = Path(__file__).parents[1]
_LIBRARIES: Final = ("numpy", "simplejpeg", "cykooz-resizer", "opencv-python-headless", "pyzmq", "msgspec", "msgpack")


class Machine(msgspec.Struct, frozen=True):
    """Where and with what was measured."""

    cpu: str
    cores: int
    """That this process may use."""
    memory_bytes: int
    kernel: str
    python: str
    versions: dict[str, str]
    revision: str
    """Of the repository; `+` where files differ from it, empty outside of one."""
    load_average: float
    """Over the last minute, before the first measurement. Near 0 on a machine that does nothing else."""


def machine() -> Machine:
    """Look at this one."""
    versions = {"omnishotd": version("omnishotd"), "libzmq": zmq.zmq_version()}
    versions.update({library: version(library) for library in _LIBRARIES})
    return Machine(
        cpu=cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8")),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        kernel=platform.release(),
        python=platform.python_version(),
        versions=versions,
        revision=_revision(),
        load_average=os.getloadavg()[0],
    )


def cpu_model(cpuinfo: str) -> str:
    """Find the name of the processor; a machine without one (many of ARM) has its architecture."""
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()


def _revision() -> str:
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"]
    try:
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
