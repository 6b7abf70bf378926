"""The sandbox in processes of the test's own: what holds in each mode, and what is said where something is missing."""

import json
import subprocess
import sys
from typing import Any

import pytest

from stages import landlock

SHUT_IN = """
import errno, json, logging, os, sys, threading
from ipc.resident import resident
from stages import landlock, sandbox as module, seccomp
from stages.sandbox import Sandbox

logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
resident()
{before}
sandbox = Sandbox({mode!r})
sandbox.shut_files()
in_force = sandbox.shut_calls(64 << 20)
sandbox.tell(in_force)


def came_of(attempt):
    try:
        attempt()
    except Exception as error:
        return type(error).__name__
    return "done"


told = {{
    "landlock": in_force.landlock,
    "seccomp": in_force.seccomp,
    "no_new_privileges": in_force.no_new_privileges,
    "limit": in_force.memory_limit_bytes,
    "missing": sandbox.missing,
    "refusal": sandbox.refusal,
    "file": came_of(lambda: os.close(os.open("/", os.O_RDONLY))),
    "process": came_of(lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {{}}), 0)),
    "thread": came_of(lambda: threading.Thread(target=int).start()),
    "memory": came_of(lambda: bytes(128 << 20)),
    "little memory": came_of(lambda: bytes(16 << 20)),
}}
print(json.dumps(told))
"""

FULL = {
    "landlock": landlock.version(),
    "seccomp": True,
    "no_new_privileges": True,
    "missing": [],
    "refusal": "",
    "file": "PermissionError",
    "process": "PermissionError",
    "thread": "done",
    "memory": "MemoryError",
    "little memory": "done",
}

NO_SECCOMP = """
import ctypes.util
find = ctypes.util.find_library
ctypes.util.find_library = lambda name: None if name == "seccomp" else find(name)
"""
NO_LANDLOCK = """
def shut():
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
landlock.shut = shut
"""
HOLLOW_LANDLOCK = "landlock.shut = lambda: 7"
HOLLOW_SECCOMP = "seccomp.Filter.put_in_force = lambda self: None"
THREAD = """
wait = threading.Event()
threading.Thread(target=wait.wait, daemon=True).start()
"""


def told_by(mode: str, before: str = "") -> tuple[dict[str, Any], str]:
    """Shut a process in, and return what it found and what it logged."""
    program = [sys.executable, "-c", SHUT_IN.format(mode=mode, before=before)]
    ended = subprocess.run(program, check=False, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    return told, ended.stderr


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_process_is_shut_in_by_all_layers(mode: str) -> None:
    """This fails on a kernel without Landlock, or where libseccomp is not installed: there is nothing to test there."""
    told, log = told_by(mode)

    assert told.pop("limit") > 64 << 20
    assert told == FULL
    assert log.startswith(f"INFO sandbox: no new privileges, landlock {landlock.version()}, seccomp, at most ")
    assert log.count("\n") == 1


def test_process_that_is_off_limits_its_memory_alone() -> None:
    told, log = told_by("off")

    assert (told["landlock"], told["seccomp"], told["missing"], told["refusal"]) == (0, False, [], "")
    assert (told["file"], told["process"], told["memory"]) == ("done", "done", "MemoryError")
    assert log.startswith("INFO sandbox: off; at most ")


@pytest.mark.parametrize(
    ("before", "layer", "reason"),
    [
        (NO_SECCOMP, "seccomp", "seccomp: libseccomp cannot be loaded: Unable to find libseccomp"),
        (NO_LANDLOCK, "landlock", "landlock: Operation not supported"),
        (HOLLOW_LANDLOCK, "landlock", "landlock: was accepted, and holds nothing"),
        (HOLLOW_SECCOMP, "seccomp", "seccomp: was accepted, and holds nothing"),
        (THREAD, "landlock", "landlock: it would not hold for the threads that there are already"),
    ],
    ids=["no libseccomp", "no landlock", "landlock holds nothing", "seccomp holds nothing", "a thread already"],
)
@pytest.mark.parametrize("mode", ["auto", "required"])
def test_layer_that_cannot_be_had_is_told_with_its_reason(mode: str, before: str, layer: str, reason: str) -> None:
    told, log = told_by(mode, before)
    other = "landlock" if layer == "seccomp" else "seccomp"

    assert not told[layer]
    assert told[other]
    assert told["file"] == "PermissionError"
    assert told["missing"] == [reason]
    assert log.startswith("WARNING sandbox: ")
    assert log.endswith(f"; without {reason}\n")
    refusal = f"sandbox.mode is required, and this machine cannot: {reason}"
    assert told["refusal"] == (refusal if mode == "required" else "")


def test_limit_that_is_lower_already_stays() -> None:
    before = "import resource; resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))"
    told, _ = told_by("auto", before + "; from ipc.resident import mapped_bytes; assert mapped_bytes() < 590 << 20")

    assert told["limit"] <= 600 << 20
