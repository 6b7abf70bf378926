"""The filter, in processes of the test's own, and as it would be on another architecture."""

import errno
import signal
import subprocess
import sys
import tempfile
from typing import IO

import pyseccomp  # type: ignore[import-untyped]  # it has annotations, but no py.typed
import pytest

from stages import seccomp
from stages.seccomp import CALLS, Condition, Filter, FilterUnavailable, Rule, rules

FILTERED = """
import ctypes, errno, mmap, os, signal, threading
from ipc.posture import forbid_new_privileges
from stages.seccomp import Filter

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
begun, end = threading.Event(), threading.Event()
results = []
filter_ = Filter()
forbid_new_privileges()


def elsewhere():
    begun.set()
    end.wait()
    results.append(came_of(lambda: os.open("/", os.O_RDONLY)))


def came_of(attempt):
    try:
        attempt()
    except OSError as error:
        return error.errno
    return 0


thread = threading.Thread(target=elsewhere)
thread.start()
begun.wait()
filter_.put_in_force()
"""


def run(program: str, stdin: IO[bytes] | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a program in a filtered process."""
    command = [sys.executable, "-c", FILTERED + program]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=30, stdin=stdin)


def test_filter_holds_for_threads_that_there_were_before() -> None:
    ended = run("end.set(); thread.join(); print(results)")

    assert ended.stdout == f"[{errno.EPERM}]\n", ended.stderr


def test_memory_for_data_can_be_had_and_memory_for_code_cannot() -> None:
    ended = run(
        "code = came_of(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC))\n"
        "data = came_of(lambda: mmap.mmap(-1, 64 << 20, prot=mmap.PROT_READ | mmap.PROT_WRITE))\n"
        "end.set(); print(code, data)"
    )

    assert ended.stdout == f"{errno.EPERM} 0\n", ended.stderr


def test_file_that_is_open_can_be_mapped_and_its_descriptor_not_be_put_in_another_s_place() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"pixels")
        file.flush()
        ended = run(
            "import fcntl\n"
            "print(mmap.mmap(0, 6, prot=mmap.PROT_READ)[:], came_of(lambda: os.dup2(0, 1)), end=' ')\n"
            "print(came_of(lambda: fcntl.fcntl(0, fcntl.F_SETFL, 0))); end.set()",
            stdin=file,
        )

    assert ended.stdout == f"b'pixels' {errno.EPERM} {errno.EPERM}\n", ended.stderr


def test_limit_of_memory_can_be_moved_below_its_bound_and_no_other_limit_at_all() -> None:
    ended = run(
        "import resource\n"
        "def is_moved(which, value):\n"
        "    try: resource.setrlimit(which, (value, resource.RLIM_INFINITY))\n"
        "    except ValueError: pass\n"  # what Python makes of a refusal
        "    return resource.getrlimit(which)[0] == value\n"
        "print(is_moved(resource.RLIMIT_AS, 1 << 41), is_moved(resource.RLIMIT_AS, 1 << 40), end=' ')\n"
        "print(is_moved(resource.RLIMIT_STACK, 1 << 20), is_moved(resource.RLIMIT_NOFILE, 9)); end.set()"
    )

    assert ended.stdout == "True True False False\n", ended.stderr


def test_own_threads_can_be_signalled_and_others_cannot() -> None:
    ended = run(
        "signal.signal(signal.SIGUSR1, lambda *_: print('signalled', flush=True))\n"
        "signal.raise_signal(signal.SIGUSR1)\n"
        "print(came_of(lambda: os.kill(os.getppid(), 0)), came_of(lambda: os.kill(os.getpid(), 0)))\n"
        "end.set()"
    )

    assert ended.stdout == f"signalled\n{errno.EPERM} {errno.EPERM}\n", ended.stderr


def test_thread_that_begins_late_may_set_the_policy_that_it_has_and_none_that_takes_turns_from_others() -> None:
    """libzmq's threads ask for theirs, and set it, when they first run; they abort at any refusal, ENOSYS too."""
    ended = run(
        "libc.pthread_self.restype = ctypes.c_ulong\n"
        "own, policy, parameter = ctypes.c_ulong(libc.pthread_self()), ctypes.c_int(), (ctypes.c_int * 1)()\n"
        "got = libc.pthread_getschedparam(own, ctypes.byref(policy), parameter)\n"
        "print(got, libc.pthread_setschedparam(own, policy, parameter), end=' ')\n"
        "parameter[0] = 1; print(libc.pthread_setschedparam(own, os.SCHED_FIFO, parameter)); end.set()"
    )

    assert ended.stdout == f"0 0 {errno.EPERM}\n", ended.stderr


def test_crash_is_still_a_crash_with_its_traceback() -> None:
    ended = run("import faulthandler; faulthandler.enable(); ctypes.string_at(0)")

    assert ended.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in ended.stderr


def test_abort_is_still_an_abort() -> None:
    assert run("os.abort()").returncode == -signal.SIGABRT


def test_calls_by_numbers_of_another_architecture_end_the_process() -> None:
    """On x86-64 these are x32's; elsewhere there is no second set, and the call is refused like any other."""
    ended = run("print(libc.syscall(ctypes.c_long(0x40000000 | 39)), ctypes.get_errno()); end.set()")

    assert ended.returncode == -signal.SIGSYS or ended.stdout == f"-1 {errno.EPERM}\n"


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_filter_can_be_made_for_all_architectures_that_are_served(architecture: str) -> None:
    made = Filter(architecture)  # type: ignore[arg-type]  # one of the two
    with tempfile.TemporaryFile() as file:
        made._filter.export_pfc(file)
        file.seek(0)
        text = file.read().decode()

    # Numbers below zero are libseccomp's own, for calls that this architecture does not have.
    named = {line.split('"')[1] for line in text.splitlines() if "# filter for syscall" in line}
    asked = CALLS | {rule.call for rule in rules(1)} | set(seccomp.ABSENT)
    wanted = {call for call in asked if _number(architecture, call) >= 0}
    assert wanted <= named
    # Those that only one of them has got a newer call in their place.
    assert asked - wanted <= {"poll", "epoll_wait", "select", "time"}


def _number(architecture: str, call: str) -> int:
    number: int = pyseccomp.resolve_syscall(getattr(pyseccomp.Arch, architecture.upper()), call)
    return number


def test_call_that_an_old_libseccomp_does_not_know_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "CALLS", CALLS | {"a_call_of_the_future"})

    Filter()


def test_library_that_refuses_is_told_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "rules", lambda _: (Rule("read", (Condition(9, 0),)),))

    with pytest.raises(FilterUnavailable, match="cannot make the filter"):
        Filter()
