"""The kernel's word on a process, held against what it says elsewhere and against one that is bound."""

import subprocess
import sys
from pathlib import Path

import msgspec

from ipc.posture import posture
from ipc.telemetry import Posture

BIND_AND_TELL = """
import ctypes, msgspec, sys
from ipc.posture import posture

class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32)]

class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(Instruction))]

prctl = ctypes.CDLL(None).prctl
zero = ctypes.c_ulong(0)
assert prctl(38, ctypes.c_ulong(1), zero, zero, zero) == 0  # PR_SET_NO_NEW_PRIVS
if sys.argv[1] == "seccomp":
    allow_all = Instruction(0x06, 0, 0, 0x7FFF0000)  # return SECCOMP_RET_ALLOW
    program = Program(1, ctypes.pointer(allow_all))
    assert prctl(22, ctypes.c_ulong(2), ctypes.byref(program), zero, zero) == 0  # PR_SET_SECCOMP, filter mode
sys.stdout.buffer.write(msgspec.json.encode(posture()))
"""


def told_by_bound_process(kind: str) -> Posture:
    told = subprocess.run([sys.executable, "-c", BIND_AND_TELL, kind], capture_output=True, check=True, timeout=30)
    return msgspec.json.decode(told.stdout, type=Posture)


def test_posture_is_what_the_kernel_says_in_proc() -> None:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())

    assert posture() == Posture(
        no_new_privileges=status["NoNewPrivs"].strip() == "1", seccomp=status["Seccomp"].strip() != "0"
    )


def test_posture_tells_of_the_landlock_that_it_is_told_of() -> None:
    assert posture(7) == msgspec.structs.replace(posture(), landlock=7)


def test_posture_tells_of_the_limit_of_memory() -> None:
    program = (
        "import resource; from ipc.posture import posture; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
        "print(posture().memory_limit_bytes)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=30)

    assert told.stdout == b"%d\n" % (1 << 30)
    assert posture().memory_limit_bytes == 0


def test_new_privileges_are_forbidden_for_good() -> None:
    program = (
        "from ipc.posture import forbid_new_privileges, posture; "
        "forbid_new_privileges(); forbid_new_privileges(); print(posture().no_new_privileges)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=30)

    assert told.stdout == b"True\n"


def test_posture_of_a_process_without_new_privileges_says_so() -> None:
    assert told_by_bound_process("privileges") == Posture(no_new_privileges=True, seccomp=posture().seccomp)


def test_posture_of_a_filtered_process_says_so() -> None:
    assert told_by_bound_process("seccomp") == Posture(no_new_privileges=True, seccomp=True)
