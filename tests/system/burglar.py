"""What a worker whose decoder was taken over would try: each door that a process has, mostly by bare system calls.

Copied into a folder on PYTHONPATH as `sitecustomize.py`, which Python runs before anything else, beside the numbers of
the calls in `NUMBERS_FILE`. A worker that decodes and meets a picture of `MARKER_WIDTH` tries them all, and writes one
log line on what came of each: 0 for a door that was open, else the kernel's reason.

Where a door is open nothing happens: the attempts ask for nothing, in vain, or take back at once what they got.
"""

import ctypes
import errno
import json
import logging
import mmap
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any, Final

MARKER_WIDTH: Final = 333
NUMBERS_FILE: Final = "numbers"
LOG_MESSAGE: Final = "doors"

NOBODY_THERE: Final = -1
"""As a descriptor: none."""
_AT_FDCWD: Final = -100
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_THREAD = 0x10000000, 0x40000000, 0x10000
_F_SETOWN: Final = 8
_PR_SET_PDEATHSIG: Final = 1
_PTRACE_PEEKTEXT: Final = 1
_FROM: Final = os.getpid()

BARE: Final[dict[str, tuple[str, tuple[Any, ...]]]] = {
    # files
    "open a file": ("openat", (_AT_FDCWD, b"/etc/passwd", os.O_RDONLY, 0)),
    "open a file, the old way": ("open", (b"/etc/passwd", os.O_RDONLY, 0)),
    "open a file, the new way": ("openat2", (_AT_FDCWD, b"/etc/passwd", bytes(24), 24)),
    "open a folder": ("openat", (_AT_FDCWD, b"/", os.O_RDONLY | os.O_DIRECTORY, 0)),
    "open its own memory": ("openat", (_AT_FDCWD, b"/proc/self/mem", os.O_RDWR, 0)),
    "open its own figures": ("openat", (_AT_FDCWD, b"/proc/self/status", os.O_RDONLY, 0)),
    "look at a file": ("newfstatat", (_AT_FDCWD, b"/etc/passwd", bytearray(512), 0)),
    "look at a file, the new way": ("statx", (_AT_FDCWD, b"/etc/passwd", 0, 0, bytearray(512))),
    "ask for a file": ("faccessat", (_AT_FDCWD, b"/etc/passwd", 0, 0)),
    "read a link": ("readlinkat", (_AT_FDCWD, b"/proc/self/exe", bytearray(512), 512)),
    "list a folder": ("getdents64", (NOBODY_THERE, bytearray(512), 512)),
    "remove a file": ("unlinkat", (_AT_FDCWD, b"/nowhere/at/all", 0)),
    "rename a file": ("renameat2", (_AT_FDCWD, b"/nowhere/at/all", _AT_FDCWD, b"/nowhere/else", 0)),
    "link a file": ("linkat", (_AT_FDCWD, b"/nowhere/at/all", _AT_FDCWD, b"/nowhere/else", 0)),
    "make a folder": ("mkdirat", (_AT_FDCWD, b"/nowhere/at/all", 0o700)),
    "make a device": ("mknodat", (_AT_FDCWD, b"/nowhere/at/all", 0o600, 0)),
    "change a mode": ("fchmodat", (_AT_FDCWD, b"/nowhere/at/all", 0o777)),
    "change an owner": ("fchownat", (_AT_FDCWD, b"/nowhere/at/all", 0, 0, 0)),
    "cut a file": ("truncate", (b"/nowhere/at/all", 0)),
    "cut the arena": ("ftruncate", (NOBODY_THERE, 0)),
    "reserve": ("fallocate", (NOBODY_THERE, 0, 0, 1)),
    "open by handle": ("open_by_handle_at", (NOBODY_THERE, bytes(128), 0)),
    "go elsewhere": ("chdir", (b"/",)),
    "change the root": ("chroot", (b"/nowhere/at/all",)),
    "mount": ("mount", (b"none", b"/nowhere/at/all", b"tmpfs", 0, None)),
    "mount, the new way": ("fsopen", (b"nosuch", 0)),
    "unmount": ("umount2", (b"/nowhere/at/all", 0)),
    "copy between files": ("sendfile", (NOBODY_THERE, NOBODY_THERE, None, 1)),
    # memory that others could have a part in, and code
    "make a file in memory": ("memfd_create", (b"stolen", 0)),
    "open a queue": ("mq_open", (b"nosuch", os.O_RDONLY, 0, None)),
    "get shared memory": ("shmget", (0x51EA1, 1, 0)),
    "get semaphores": ("semget", (0x51EA1, 1, 0)),
    "map code": ("mmap", (None, 4096, mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)),
    "make memory code": ("mprotect", (None, 0, mmap.PROT_READ | mmap.PROT_EXEC)),
    "make memory code, by key": ("pkey_mprotect", (None, 0, mmap.PROT_READ | mmap.PROT_EXEC, -1)),
    "become another kind of program": ("personality", (0xFFFFFFFF,)),
    # sockets
    "make a unix socket": ("socket", (socket.AF_UNIX, socket.SOCK_STREAM, 0)),
    "make an internet socket": ("socket", (socket.AF_INET, socket.SOCK_STREAM, 0)),
    "make a datagram socket": ("socket", (socket.AF_INET6, socket.SOCK_DGRAM, 0)),
    "make a netlink socket": ("socket", (socket.AF_NETLINK, socket.SOCK_RAW, 0)),
    "make a pair of sockets": ("socketpair", (socket.AF_UNIX, socket.SOCK_STREAM, 0, None)),
    "connect": ("connect", (NOBODY_THERE, bytes(16), 16)),
    "bind": ("bind", (NOBODY_THERE, bytes(16), 16)),
    "listen": ("listen", (NOBODY_THERE, 1)),
    "accept": ("accept4", (NOBODY_THERE, None, None, 0)),
    "send to an address": ("sendto", (NOBODY_THERE, b"x", 1, 0, bytes(16), 16)),
    "send a descriptor": ("sendmsg", (NOBODY_THERE, bytes(64), 0)),
    "set up a socket": ("setsockopt", (NOBODY_THERE, 1, 2, bytes(4), 4)),
    # processes
    "be another program": ("execve", (b"", None, None)),
    "be another program, by descriptor": ("execveat", (NOBODY_THERE, b"", None, None, 0)),
    "make a process, the new way": ("clone3", (bytes(8), 8)),
    "make a thread elsewhere": ("clone", (_CLONE_THREAD | _CLONE_NEWNET, None, None, None, None)),
    "trace": ("ptrace", (_PTRACE_PEEKTEXT, _FROM, None, None)),
    "read another's memory": ("process_vm_readv", (os.getppid(), None, 0, None, 0, 0)),
    "write another's memory": ("process_vm_writev", (os.getppid(), None, 0, None, 0, 0)),
    "compare with another": ("kcmp", (_FROM, os.getppid(), 1, 0, 0)),
    "signal its supervisor": ("kill", (os.getppid(), 0)),
    "signal everybody": ("kill", (NOBODY_THERE, 0)),
    "signal another's thread": ("tgkill", (os.getppid(), os.getppid(), 0)),
    "signal with a message": ("rt_sigqueueinfo", (os.getppid(), 0, bytes(128))),
    "take hold of another": ("pidfd_open", (os.getppid(), 0)),
    "signal by hold": ("pidfd_send_signal", (NOBODY_THERE, 0, None, 0)),
    "take another's descriptor": ("pidfd_getfd", (NOBODY_THERE, 0, 0)),
    "have another signalled": ("fcntl", (2, _F_SETOWN, 0)),
    "steer a device": ("ioctl", (NOBODY_THERE, 0, None)),
    "outlive its supervisor": ("prctl", (_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)),
    "lift its limits": ("prlimit64", (0, 0xFFFF, bytes(16), None)),
    "look at another's limits": ("prlimit64", (os.getppid(), 7, None, None)),
    "take the turns of others": ("sched_setscheduler", (0, os.SCHED_FIFO, b"\1\0\0\0")),
    "change its processors": ("sched_setaffinity", (0, 0, None)),
    "change its rank": ("setpriority", (0, 0, 0)),
    # rights, and the rest of the kernel
    "leave its namespaces": ("unshare", (0,)),
    "leave for a user's namespace": ("clone", (_CLONE_NEWUSER | _CLONE_THREAD, None, None, None, None)),
    "join a namespace": ("setns", (NOBODY_THERE, 0)),
    "change its user": ("setuid", (os.getuid(),)),
    "change its groups": ("setgroups", (NOBODY_THERE, None)),
    "change its rights": ("capset", (None, None)),
    "add a filter": ("seccomp", (1, 0, None)),
    "a ring of calls": ("io_uring_setup", (1, None)),
    "a program in the kernel": ("bpf", (0, None, 0)),
    "watch the processor": ("perf_event_open", (None, 0, -1, -1, 0)),
    "handle page faults": ("userfaultfd", (1 << 30,)),
    "keys": ("keyctl", (0xFFFF, 0, 0, 0, 0)),
    "add a key": ("add_key", (None, None, None, 0, 0)),
    "a module of the kernel": ("init_module", (None, 0, None)),
    "the kernel's log": ("syslog", (0xFFFF, None, 0)),
    "the clock": ("clock_settime", (0xFFFF, None)),
    "the host's name": ("sethostname", (None, NOBODY_THERE)),
    "swap": ("swapon", (b"/nowhere/at/all", 0)),
    "restart": ("reboot", (0, 0, 0, None)),
    # descriptors
    "a pipe": ("pipe2", (None, 0)),
    "another descriptor": ("dup", (2,)),
    "an event": ("eventfd2", (0, 0)),
    "a timer": ("timerfd_create", (1, 0)),
    "watch files": ("inotify_init1", (0,)),
    "catch signals": ("signalfd4", (NOBODY_THERE, bytes(8), 8, 0)),
}
"""By door: the system call, and what it is given."""

GIVE_DESCRIPTORS: Final = frozenset(
    {"openat", "open", "openat2", "memfd_create", "socket", "pidfd_open", "dup", "eventfd2", "timerfd_create"}
    | {"inotify_init1"}
)

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _bare(call: str, number: int, arguments: tuple[Any, ...]) -> int:
    """Make a system call; a descriptor that comes of it is closed."""
    result = _libc.syscall(number, *(_argument(argument) for argument in arguments))
    if result == -1:
        return ctypes.get_errno()
    if call in GIVE_DESCRIPTORS:
        os.close(result)
    return 0


def _argument(argument: Any) -> Any:
    if isinstance(argument, int):
        return ctypes.c_long(argument)
    return (ctypes.c_char * len(argument)).from_buffer(argument) if isinstance(argument, bytearray) else argument


def _fork(number: int) -> int:
    # By `clone`, as the C library does it, with nothing but the signal that tells of its end.
    pid = _libc.syscall(number, ctypes.c_long(signal.SIGCHLD), None, None, None, None)
    if pid == 0:
        os._exit(0)
    if pid < 0:
        return ctypes.get_errno()
    os.waitpid(pid, 0)
    return 0


def _write_outside() -> None:
    path = Path("/tmp/omnishotd-stolen")  # noqa: S108 - a folder that everybody may write to
    path.write_bytes(b"x")
    path.unlink()


def _share() -> None:
    segment = shared_memory.SharedMemory(create=True, size=4096)
    segment.unlink()
    segment.close()


def _connect(endpoint: str) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(endpoint)


def _call_home() -> None:
    with socket.socket(socket.AF_INET) as end:
        # Refused where nobody listens, which is far enough.
        end.connect_ex(("127.0.0.1", 9))


def _run() -> None:
    subprocess.run([sys.executable, "-S", "-c", ""], check=True, env={})


def _ours(endpoint: str) -> dict[str, Callable[[], object]]:
    """By door: what a Python program would do."""
    return {
        "read a file": lambda: Path("/etc/passwd").read_bytes(),
        "write a file": _write_outside,
        "share memory": _share,
        "connect as a producer": lambda: _connect(endpoint),
        "call home": _call_home,
        "run a program": _run,
        "spawn a program": lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
        "load a module": lambda: import_module("wave"),
    }


def _came_of(attempt: Callable[[], object]) -> int:
    try:
        attempt()
    except OSError as error:
        return error.errno or errno.EIO
    except ImportError:
        return errno.EACCES
    return 0


def try_all(numbers: dict[str, int], endpoint: str) -> dict[str, int]:
    """Try every door. Calls that this architecture does not have are left out."""
    found = {door: _bare(call, numbers[call], arguments) for door, (call, arguments) in BARE.items() if call in numbers}
    found["make a process"] = _fork(numbers["clone"])
    return found | {door: _came_of(attempt) for door, attempt in _ours(endpoint).items()}


def break_in() -> None:
    """Put this into the worker's decoder."""
    from stages import decode  # noqa: PLC0415 - the worker's, if this is one

    honest = decode.decode
    beside = Path(__file__).with_name(NUMBERS_FILE)
    told = json.loads(beside.read_text(encoding="ascii"))

    def burgled(step: Any, ground: Any) -> None:
        honest(step, ground)
        if step.geometry.width == MARKER_WIDTH:
            logging.getLogger(__name__).warning(LOG_MESSAGE, extra={"doors": try_all(told["numbers"], told["socket"])})

    decode.decode = burgled


if sys.orig_argv[-4:-3] == ["stages.worker"] and sys.orig_argv[-3].startswith("decode-"):
    break_in()
