"""Segments: shared memory that producers lend, opened by name and kept open while frames name it.

A name is the producer's word, and all else is asked of the kernel: that the segment is a regular file, that it belongs
to the user at the other end of the socket (or anybody could have the daemon read others' segments), and how long it is.
It can be cut at any moment all the same. So the broker never maps one: what it reads itself it reads by pread(2), which
comes back short where a mapping is a SIGBUS.
"""

import builtins
import logging
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ipc.errors import ErrorCode, FrameError
from ipc.messages import Extent
from ipc.wire import Lent

log = logging.getLogger(__name__)

OPEN_MAX: Final = 64
OPEN_OF_USER_MAX: Final = 16
LOOK_EVERY_US: Final = 1_000_000
IDLE_US_MAX: Final = 60_000_000
_BLOCK_BYTES: Final = 512
"""Of `st_blocks`, whatever the file system (stat(2))."""
_USERS: Final = Path("/proc/self/uid_map")
_OVERFLOW_UID: Final = Path("/proc/sys/kernel/overflowuid")
_OVERFLOW_UID_USUAL: Final = 65_534
_ALL_USERS: Final = ["0", "0", str((1 << 32) - 1)]
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_DIRECTORY_FLAGS: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(slots=True, eq=False)
class Segment:
    """One that is open."""

    number: int
    """Among all that were ever opened; never used twice."""
    uid: int
    name: str
    descriptor: int
    inode: int
    uses: int = 0
    """Frames that name it and are not over."""
    used_us: int = 0
    """When it was named last."""


@dataclass(frozen=True, slots=True)
class Loan:
    """A piece of a segment that is a frame's payload."""

    segments: "Segments"
    segment: Segment
    offset: int
    bytes: int
    is_pixels: bool
    """Whether it is raw pixels, which stay where they are; an encoded picture is copied as soon as it is let in."""

    @property
    def payload_bytes(self) -> int:
        """What a frame holds of it while it waits."""
        return 0 if self.is_pixels else self.bytes

    def payload(self) -> builtins.bytes:
        """Return what a frame holds of it. Raises `FrameError` where the segment is too short by now."""
        return b"" if self.is_pixels else self.read()

    @property
    def end(self) -> int:
        """How long the segment must be."""
        return self.offset + self.bytes

    @property
    def identity(self) -> int:
        """Number that stands for the piece, whatever it shows. Of no use to another process."""
        segment = self.segment
        return hash((segment.uid, segment.name, segment.inode, self.offset, self.bytes))

    @property
    def is_trusted(self) -> bool:
        """Whether its user is not known to cut segments."""
        return self.segments.trusts(self.segment.uid)

    def extent(self) -> Extent:
        """Tell workers where pixels lie, and how to read them. To be asked when a frame is started.

        Raises `FrameError` where the segment is too short by now.
        """
        facts = os.fstat(self.segment.descriptor)
        if self.end > facts.st_size:
            raise _cut(facts.st_size)
        # A page that was never written would come into being, at the daemon's cost, where a mapping shows it.
        is_full = facts.st_blocks * _BLOCK_BYTES >= facts.st_size or _is_written(self)
        return Extent(self.offset, self.bytes, self.segment.number, is_copied=not (is_full and self.is_trusted))

    def read(self) -> builtins.bytes:
        """Copy what is lent. Raises `FrameError` where the segment is too short by now."""
        return self.segments.read(self)

    def cut(self) -> FrameError | None:
        """Tell what is wrong with a segment that is shorter than what was lent of it; None where it is not."""
        size_bytes = os.fstat(self.segment.descriptor).st_size
        if self.end <= size_bytes:
            return None
        return _cut(size_bytes)

    def hold(self) -> None:
        """Keep the segment open until `release`."""
        self.segment.uses += 1

    def release(self) -> None:
        """Take note that the frame is over."""
        self.segment.uses -= 1


class Segments:
    """Those that are open."""

    def __init__(self, directory: str) -> None:
        """Look below `directory`; nothing is borrowed where it is empty, or cannot be opened."""
        self._directory = -1
        if directory:
            try:
                self._directory = os.open(directory, _DIRECTORY_FLAGS)
            except OSError as error:
                log.error("frames.lent_directory: no frame is borrowed: %s", error)  # noqa: TRY400 - it says all
        self._open: dict[int, Segment] = {}
        self._named: dict[tuple[int, str], Segment] = {}
        """By user and name, those of `_open` that the name stands for."""
        self._closed: list[Segment] = []
        """Those that nobody was told of yet."""
        self._distrusted: set[int] = set()
        self._unknown_uid = _unknown_uid()
        self._last_number = 0
        self._look_at_us = 0
        self.read_bytes = 0
        """In all."""

    def __len__(self) -> int:
        return len(self._open)

    @property
    def is_on(self) -> bool:
        """Whether anything is borrowed."""
        return self._directory >= 0

    def lend(self, uid: int | None, lent: Lent, now_us: int, *, is_pixels: bool) -> Loan:
        """Take a producer at his word, after having asked the kernel. Raises `FrameError`. Holds nothing yet."""
        if not self.is_on:
            raise _refused("lent: not taken here")
        if uid is None or uid == self._unknown_uid:
            raise _refused("lent: only over a unix socket, where the kernel tells whose the segment must be")
        segment = self._named.get((uid, lent.segment))
        facts = None if segment is None else os.fstat(segment.descriptor)
        if segment is None or facts is None or not facts.st_nlink:
            segment, facts = self._opened(uid, lent.segment, now_us)
        segment.used_us = now_us
        loan = Loan(self, segment, lent.offset, lent.bytes, is_pixels)
        if loan.end > facts.st_size:
            where = "offset" if lent.offset >= facts.st_size else "bytes"
            message = f"lent.{where}: {lent.offset} and {lent.bytes} more, the segment ends at {facts.st_size}"
            raise _refused(message)
        return loan

    def read(self, loan: Loan) -> bytes:
        """See `Loan.read`."""
        parts: list[bytes] = []
        offset = loan.offset
        while offset < loan.end:
            part = os.pread(loan.segment.descriptor, loan.end - offset, offset)
            if not part:
                raise _cut(offset)
            parts.append(part)
            offset += len(part)
        self.read_bytes += loan.bytes
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def descriptor(self, number: int) -> int:
        """Return the descriptor of a segment that is open."""
        return self._open[number].descriptor

    def trusts(self, uid: int) -> bool:
        """Tell whether this user's segments may be mapped."""
        return uid not in self._distrusted

    def distrust(self, uid: int) -> None:
        """Have none of this user's segments mapped from now on."""
        if uid not in self._distrusted:
            self._distrusted.add(uid)
            log.warning("uid %d cut a segment while it was lent: what it lends is not mapped any more", uid)

    def pass_time(self, now_us: int) -> list[Segment]:
        """Close what nobody needs. Returns what was closed since the last look: workers are to be told."""
        if now_us < self._look_at_us or not (self._open or self._closed):
            return []
        self._look_at_us = now_us + LOOK_EVERY_US
        for segment in [segment for segment in self._open.values() if _is_over(segment, now_us)]:
            self._close(segment)
        closed, self._closed = self._closed, []
        return closed

    def next_us(self) -> int | None:
        """Return when `pass_time` is to be called; None where nothing is open."""
        return self._look_at_us if self._open or self._closed else None

    def close(self) -> None:
        """Close all of them."""
        for segment in list(self._open.values()):
            self._close(segment)
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1

    def _opened(self, uid: int, name: str, now_us: int) -> tuple[Segment, os.stat_result]:
        """Open a segment that is not open, or whose name stands for another one by now. Raises `FrameError`."""
        self._named.pop((uid, name), None)
        self._make_room(uid)
        try:
            descriptor = os.open(name, _FLAGS, dir_fd=self._directory)
        except FileNotFoundError:
            raise _refused(f"lent.segment: there is no {name!r} in the daemon's frames.lent_directory") from None
        except OSError as error:
            raise _refused(f"lent.segment: {name!r} cannot be read by the daemon: {error.strerror}") from None
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != uid:
            os.close(descriptor)
            raise _refused(f"lent.segment: {name!r} is not yours: only shared memory of your own can be lent")
        if self.next_us() is None:
            self._look_at_us = now_us + LOOK_EVERY_US
        self._last_number += 1
        segment = Segment(self._last_number, uid, name, descriptor, facts.st_ino)
        self._open[segment.number] = self._named[uid, name] = segment
        return segment, facts

    def _make_room(self, uid: int) -> None:
        """See to it that one more of a user's can be opened. Raises `FrameError` where all that may be are in use."""
        of_user = [segment for segment in self._open.values() if segment.uid == uid]
        if len(of_user) >= OPEN_OF_USER_MAX:
            self._close_idlest(of_user)
        elif len(self._open) >= OPEN_MAX:
            self._close_idlest(list(self._open.values()))

    def _close_idlest(self, segments: Sequence[Segment]) -> None:
        idle = [segment for segment in segments if not segment.uses]
        if not idle:
            raise FrameError(ErrorCode.BUSY, f"lent.segment: {len(segments)} others are in use, as many as may be")
        self._close(min(idle, key=lambda segment: segment.used_us))

    def _close(self, segment: Segment) -> None:
        del self._open[segment.number]
        if self._named.get((segment.uid, segment.name)) is segment:
            del self._named[segment.uid, segment.name]
        os.close(segment.descriptor)
        self._closed.append(segment)


def _refused(message: str) -> FrameError:
    return FrameError(ErrorCode.BAD_REQUEST, message)


def _cut(size_bytes: int) -> FrameError:
    return _refused(f"lent.bytes: the segment was cut to {size_bytes} bytes while it was lent")


def _is_over(segment: Segment, now_us: int) -> bool:
    """Tell whether nobody needs it: it has no name any more, or nobody has said it for long."""
    if segment.uses:
        return False
    return now_us - segment.used_us > IDLE_US_MAX or not os.fstat(segment.descriptor).st_nlink


def _is_written(loan: Loan) -> bool:
    """Tell whether every page of what is lent exists: a segment that is not full yet has holes."""
    try:
        return os.lseek(loan.segment.descriptor, loan.offset, os.SEEK_HOLE) >= loan.end
    except OSError:
        return False


def _unknown_uid() -> int | None:
    """Tell which uid stands for all users who have none here; None where all have, as outside of user namespaces."""
    try:
        if _USERS.read_text(encoding="ascii").split() == _ALL_USERS:
            return None
        return int(_OVERFLOW_UID.read_text(encoding="ascii"))
    except OSError:
        return _OVERFLOW_UID_USUAL
