"""Seccomp: the system calls that a worker at work needs, and no others, for all threads of the process (seccomp(2)).

By name, so that one list serves all architectures: a name that one of them does not have is passed over there. Whatever
is not listed fails with EPERM, which every library takes for an answer; a death by signal would be told as a crash.
"""

import errno
import fcntl
import os
import resource
from dataclasses import dataclass
from typing import Any, Final, Literal

CALLS: Final = frozenset(
    {
        # messages, over sockets that are open already
        *("read", "readv", "write", "writev", "pread64", "recvfrom", "recvmsg", "close"),
        *("poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_ctl"),
        # memory
        *("brk", "munmap", "mremap", "madvise"),
        # threads, and the waits between them
        *("futex", "sched_yield", "sched_getaffinity", "getcpu", "set_robust_list", "rseq"),
        *("sched_getparam", "sched_getscheduler"),
        # signals, to itself: how a crash is told
        *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall"),
        # time and chance
        *("clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "getrandom"),
        # what it is
        *("getpid", "gettid", "getppid", "getrusage", "sysinfo", "fstat", "lseek"),
        # the end
        *("exit", "exit_group"),
    }
)
"""Allowed whatever their arguments are. Not among them, though they look harmless: `fcntl` and `ioctl` can have signals
sent to others, `sendmsg` carries descriptors, `newfstatat` looks at files, from which Landlock does not keep it.

`recvmsg` takes descriptors in: those of lent segments, for reading, from the broker. Others cannot come, for it has no
connection but those to the broker and the supervisor, and these send no others."""

ABSENT: Final = ("clone3",)
"""These fail as if the kernel did not have them. The C library makes its threads by `clone` then, whose flags can be
seen.
"""

# linux/sched.h, linux/prctl.h, asm/mman.h: the same on all architectures that are served
_CLONE_THREAD: Final = 0x10000
_CLONE_NAMESPACES: Final = 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000
_PR_GET_SECCOMP: Final = 21
_PR_GET_NO_NEW_PRIVS: Final = 39
_PROT_EXEC: Final = 4
_ALL: Final = (1 << 64) - 1

_UNKNOWN: Final = -1
"""libseccomp's number of a call that it has never heard of, being older than the call."""


class FilterUnavailable(Exception):
    """There is no libseccomp here, or it cannot make the filter: says why."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds where the bits of an argument that are in `mask` are those of `value`."""

    argument: int
    value: int
    mask: int = _ALL


@dataclass(frozen=True, slots=True)
class Rule:
    """A call that is allowed where all conditions hold."""

    call: str
    conditions: tuple[Condition, ...] = ()


def rules(pid: int) -> tuple[Rule, ...]:
    """Calls of which only some uses are allowed. `pid` is this process's own number."""
    own = Condition(0, pid, 0xFFFFFFFF)
    return (
        # Memory is for data: nothing new can be run. Libraries are loaded by now.
        Rule("mmap", (Condition(2, 0, _PROT_EXEC),)),
        Rule("mprotect", (Condition(2, 0, _PROT_EXEC),)),
        # A thread, in all the namespaces that this process is in. `clone3`, whose flags lie in memory, is not there.
        Rule("clone", (Condition(0, _CLONE_THREAD, _CLONE_THREAD | _CLONE_NAMESPACES),)),
        # As `mmap` of Python does with each descriptor that it maps: a copy of one that it has.
        Rule("fcntl", (Condition(1, fcntl.F_DUPFD_CLOEXEC, 0xFFFFFFFF),)),
        # Over a connection that stands, to no address.
        Rule("sendto", (Condition(4, 0),)),
        # libzmq's threads set their own policy, to what it is, when the kernel first lets them run, perhaps behind this
        # filter; and whatever the refusal, they abort. Neither policy takes turns from others.
        Rule("sched_setscheduler", (Condition(1, os.SCHED_OTHER, 0xFFFFFFFF),)),
        Rule("sched_setscheduler", (Condition(1, os.SCHED_BATCH, 0xFFFFFFFF),)),
        Rule("tgkill", (own,)),
        Rule("prctl", (Condition(0, _PR_GET_SECCOMP, 0xFFFFFFFF),)),
        Rule("prctl", (Condition(0, _PR_GET_NO_NEW_PRIVS, 0xFFFFFFFF),)),
        # Its own limits, to look at; and that of its memory, to move below the one that it cannot.
        Rule("prlimit64", (Condition(0, 0, 0xFFFFFFFF), Condition(2, 0))),
        Rule("prlimit64", (Condition(0, 0, 0xFFFFFFFF), Condition(1, resource.RLIMIT_AS, 0xFFFFFFFF))),
    )


class Filter:
    """The filter, made while libraries can still be loaded, to be put in force later."""

    def __init__(self, architecture: Literal["native", "x86_64", "aarch64"] = "native") -> None:
        """Another `architecture` than this machine's is for looking at. Raises FilterUnavailable."""
        try:
            # Looks for libseccomp by starting ldconfig: 6 ms, and only possible before the sandbox.
            import pyseccomp  # type: ignore[import-untyped]  # it has annotations, but no py.typed
        except (ImportError, RuntimeError, OSError) as error:
            raise FilterUnavailable(f"libseccomp cannot be loaded: {error}") from error
        self._seccomp = pyseccomp
        try:
            self._filter = self._made(architecture)
        except OSError as error:
            raise FilterUnavailable(f"libseccomp cannot make the filter: {error}") from error

    def put_in_force(self) -> None:
        """For all threads of this process, for good. No new privileges must hold already. Raises OSError."""
        self._filter.load()

    def _made(self, architecture: str) -> Any:
        seccomp = self._seccomp
        made = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
        wanted = getattr(seccomp.Arch, architecture.upper())
        if not made.exist_arch(wanted):
            made.add_arch(wanted)
            made.remove_arch(seccomp.Arch.NATIVE)
        made.set_attr(seccomp.Attr.CTL_TSYNC, 1)
        # Calls by another architecture's numbers, as of 32 bits: nobody here makes any.
        made.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.KILL_PROCESS)
        for call in ABSENT:
            made.add_rule(seccomp.ERRNO(errno.ENOSYS), call)
        for rule in (*map(Rule, sorted(CALLS)), *rules(os.getpid())):
            if seccomp.resolve_syscall(seccomp.Arch.NATIVE, rule.call) == _UNKNOWN:
                continue
            conditions = (
                seccomp.Arg(condition.argument, seccomp.MASKED_EQ, condition.mask, condition.value)
                for condition in rule.conditions
            )
            made.add_rule(seccomp.ALLOW, rule.call, *conditions)
        return made
