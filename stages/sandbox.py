"""The sandbox: what stands between a worker, which decodes bytes that nobody trusts, and the rest of the machine.

ORDER: make it while libraries can be loaded, `shut_files` before there is any thread, `shut_calls` when every
connection is made. What is shut is shut for good. Each layer is tried after it was put in force: one that was accepted
and holds nothing, as a kernel played by a container host may do, counts as missing.
"""

import errno
import logging
import os
import resource
import socket
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from ipc.posture import forbid_new_privileges, posture
from ipc.resident import mapped_bytes
from ipc.telemetry import Posture
from stages import landlock
from stages.seccomp import Filter, FilterUnavailable

log = logging.getLogger(__name__)

Mode = Literal["auto", "required", "off"]

EXIT_REQUIRED: Final = 78
"""EX_CONFIG: the configuration asks for what this machine cannot give. Trying again will not help."""

DESCRIPTORS_MAX: Final = 64
"""More than a worker has open; it opens no more."""


class Sandbox:
    """One worker's, in two steps. A layer that cannot be had is noted in `missing`, with the reason; nothing raises."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._landlock = 0
        self._has_filter = False
        self._filter: Filter | None = None
        self.missing: list[str] = []
        if mode != "off":
            try:
                self._filter = Filter()
            except FilterUnavailable as error:
                self.missing.append(f"seccomp: {error}")

    def shut_files(self) -> None:
        """Give up all files that are not open yet. Connections to unix sockets can still be made."""
        if self._mode == "off":
            return
        try:
            forbid_new_privileges()
        except OSError as error:
            self.missing.append(f"no_new_privileges: {error}")
            return
        if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - names are enough
            self.missing.append("landlock: it would not hold for the threads that there are already")
            return
        try:
            version = landlock.shut()
        except OSError as error:
            self.missing.append(f"landlock: {error.strerror}")
            return
        if _is_refused(errno.EACCES, _try_file):
            self._landlock = version
        else:
            self.missing.append("landlock: was accepted, and holds nothing")

    def shut_calls(self, memory_limit_bytes: int, spare_bytes: int = 0) -> Posture:
        """Limit memory to what is mapped now and `memory_limit_bytes`, and shut all system calls that work needs not.

        Memory is limited in every mode; the process itself can raise the limit by `spare_bytes`, and lower it again.
        Returns what is in force.
        """
        mapped = mapped_bytes()
        if mapped:
            _lower(resource.RLIMIT_AS, mapped + memory_limit_bytes, spare_bytes)
        if self._mode == "off":
            return posture()
        _lower(resource.RLIMIT_NOFILE, DESCRIPTORS_MAX)
        self._filter_calls()
        # Where a service manager filters calls too, the kernel's word alone would hide that ours is missing.
        return msgspec.structs.replace(posture(self._landlock), seccomp=self._has_filter)

    def tell(self, in_force: Posture) -> None:
        """Write one line on what is in force, and on what is not."""
        words = describe(in_force)
        if self._mode == "off":
            log.info("sandbox: off; %s", words)
        elif self.missing:
            log.warning("sandbox: %s; without %s", words, "; ".join(self.missing))
        else:
            log.info("sandbox: %s", words)

    @property
    def refusal(self) -> str:
        """Why this worker must not work; empty if it may."""
        if self._mode != "required" or not self.missing:
            return ""
        return f"sandbox.mode is required, and this machine cannot: {'; '.join(self.missing)}"

    def _filter_calls(self) -> None:
        if self._filter is None:
            return
        try:
            self._filter.put_in_force()
        except OSError as error:
            self.missing.append(f"seccomp: {error.strerror}")
            return
        self._has_filter = all(_is_refused(errno.EPERM, attempt) for attempt in _ATTEMPTS)
        if not self._has_filter:
            self.missing.append("seccomp: was accepted, and holds nothing")


def describe(in_force: Posture) -> str:
    """Name what is in force, for people."""
    limit = f"at most {in_force.memory_limit_bytes >> 20} MiB mapped" if in_force.memory_limit_bytes else ""
    version = f"landlock {in_force.landlock}" if in_force.landlock else ""
    layers = ("no new privileges" * in_force.no_new_privileges, version, "seccomp" * in_force.seccomp, limit)
    return ", ".join(filter(None, layers)) or "nothing is in force"


def _try_file() -> None:
    os.close(os.open("/", os.O_RDONLY))


def _try_socket() -> None:
    socket.socket(socket.AF_UNIX).close()


def _try_process() -> None:
    # No such program: where a process could be made, it would end at once.
    os.posix_spawn("", ["-"], {})


def _try_program() -> None:
    os.execv("", ["-"])  # noqa: S606, S607 - as above


_ATTEMPTS: Final = (_try_file, _try_socket, _try_process, _try_program)


def _is_refused(error_number: int, attempt: Callable[[], None]) -> bool:
    """Whether an attempt fails for just this reason."""
    try:
        attempt()
    except OSError as error:
        return error.errno == error_number
    return False


def _lower(limit: int, value: int, spare: int = 0) -> None:
    """Set a limit, for good but for `spare`; one that is lower already stays."""
    hard = resource.getrlimit(limit)[1]
    most = value + spare if hard == resource.RLIM_INFINITY else min(value + spare, hard)
    resource.setrlimit(limit, (min(value, most), most))
