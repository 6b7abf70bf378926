"""A segment of shared memory that a producer owns, and that the daemon may read.

The resource tracker of `multiprocessing` stays told of it, though it costs a process: a producer that is killed could
not remove its segment, and the tracker does. Nothing here is attached to, so what the tracker does wrong with that
before Python 3.13 does not matter. Mapped by ourselves: a `SharedMemory` cannot be closed while an array shows it, and
says so at the end of the program; a mapping goes with the last array.
"""

import contextlib
import errno
import mmap
import os
import secrets
import shutil
import struct
from pathlib import Path
from typing import Final

from omnishotd.client.errors import CannotLend

FOLDER: Final = Path("/dev/shm")  # noqa: S108 - the kernel's fixed place of POSIX shared memory
NAME_PREFIX: Final = "omnishotd-lent-"
_ACL: Final = "system.posix_acl_access"
_ACL_VERSION: Final = struct.pack("<I", 2)
_ACL_ENTRY: Final = struct.Struct("<HHI")
"""Who (a tag), what he may (bits), and his number: acl(5), linux/posix_acl_xattr.h."""
_NOBODY_NAMED: Final = 0xFFFFFFFF
_OWNER, _USER, _GROUP, _MASK, _OTHERS = 0x01, 0x02, 0x04, 0x10, 0x20
_READ, _READ_WRITE = 4, 6


class Segment:
    """`size` bytes, reserved in full, until `close` or the end of the process that made it."""

    def __init__(self, size: int, socket: Path) -> None:
        """Make the segment; `socket` is the daemon's file. Raises `CannotLend`."""
        from multiprocessing import shared_memory  # noqa: PLC0415 - a producer that lends nothing need not load it

        self.name = f"{NAME_PREFIX}{os.getpid()}-{secrets.token_hex(8)}"
        self._path = FOLDER / self.name
        self._socket = socket
        self._pid = os.getpid()
        self._reader = os.geteuid()
        """The user who can read it, besides root."""
        self._is_open = True
        try:
            self._object = shared_memory.SharedMemory(self.name, create=True, size=size)
            self._object.close()
        except (OSError, OverflowError, ValueError) as error:
            raise CannotLend(f"no segment of {size} bytes: {error}") from error
        try:
            self.memory = memoryview(_map(self._path, size))
        except BaseException as error:
            self._unlink()
            if isinstance(error, OSError):
                raise CannotLend(_why_not_mapped(size, error)) from error
            raise

    def admit_daemon(self) -> None:
        """See to it that the daemon can read the segment. Raises `CannotLend`.

        It runs as the user whom its socket belongs to, which may be another one after it was started anew. Where it is
        not there yet, nobody is let in: a request only goes out once it is.
        """
        try:
            facts = self._socket.stat()
        except OSError:
            return
        if facts.st_uid == self._reader:
            return
        try:
            os.setxattr(self._path, _ACL, _readable_by(facts.st_uid))
        except OSError as error:
            if error.errno != errno.ENOTSUP:
                raise CannotLend(f"{self._path}: {error.strerror}") from error
            self._admit_group(facts.st_uid, facts.st_gid)
        self._reader = facts.st_uid

    def close(self) -> None:
        """Take the name away, and the memory as soon as no array shows it. In a process that was forked off: nothing.

        May be called again, and from a collection of garbage.
        """
        if self._is_open and os.getpid() == self._pid:
            self._is_open = False
            self._unlink()
            self.memory = memoryview(b"")

    def _admit_group(self, uid: int, gid: int) -> None:
        """Let the socket's group in, where the kernel knows no lists of users for shared memory."""
        try:
            os.chown(self._path, -1, gid)
            self._path.chmod(0o640)
        except OSError as error:
            # root reads it all the same.
            if uid:
                told = f"{self._path}: the daemon, user {uid}, could read it as group {gid} of its socket: "
                raise CannotLend(told + str(error.strerror)) from error

    def _unlink(self) -> None:
        from multiprocessing import resource_tracker  # noqa: PLC0415 - as above; it is loaded by now

        try:
            self._object.unlink()
        except FileNotFoundError:
            # Somebody was faster, and then nobody tells the tracker.
            with contextlib.suppress(OSError):
                resource_tracker.unregister(f"/{self.name}", "shared_memory")


def _map(path: Path, size: int) -> mmap.mmap:
    """Map a segment after all of it is reserved: what is not there when it is written to would end the process."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.posix_fallocate(fd, 0, size)
        return mmap.mmap(fd, size)
    finally:
        os.close(fd)


def _why_not_mapped(size: int, error: OSError) -> str:
    if error.errno != errno.ENOSPC:
        return f"{size} bytes of shared memory: {error.strerror}"
    return f"{size} bytes of shared memory are wanted, {FOLDER} has {shutil.disk_usage(FOLDER).free} left"


def _readable_by(uid: int) -> bytes:
    """Write the list of who may: the owner all, one user read, nobody else anything."""
    entries = (
        (_OWNER, _READ_WRITE, _NOBODY_NAMED),
        (_USER, _READ, uid),
        (_GROUP, 0, _NOBODY_NAMED),
        (_MASK, _READ, _NOBODY_NAMED),
        (_OTHERS, 0, _NOBODY_NAMED),
    )
    return _ACL_VERSION + b"".join(_ACL_ENTRY.pack(*entry) for entry in entries)
