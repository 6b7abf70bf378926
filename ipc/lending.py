"""Lending: how workers get the descriptors of segments that producers lend. A socket of its own, for ZeroMQ has none.

Each worker connects before it is shut in, says who it is, and from then on only listens. What the broker says lies in
the socket before the batch that it is about: two roads, and the order between them is kept by who sends first.
"""

import mmap
import os
import socket
import struct
from pathlib import Path
from typing import Final

import msgspec

from ipc.messages import Borrower, SegmentGone, SegmentLent, ToBorrower
from ipc.settings import FramesSettings

SEGMENTS_HELD_MAX: Final = 8
"""Descriptors that a worker is left with; more only while more than so many are named by what it has to do."""
MAPPED_BYTES_MAX: Final = 256 << 20
"""What a worker maps of them at a time, unless a single frame takes more."""
MESSAGE_BYTES_MAX: Final = 64
BACKLOG: Final = 256
"""Workers that may wait to be accepted. Who waits was started by the supervisor, which does not start that many."""
CONNECT_WITHIN_S: Final = 5.0
ARRIVES_WITHIN_S: Final = 1.0
"""What is announced was sent before; this only ends a wait for what was never sent."""
_DESCRIPTOR: Final = struct.Struct("=i")
_ROOM_BYTES: Final = socket.CMSG_LEN(_DESCRIPTOR.size)
_OWNER_ONLY: Final = 0o600
_CHANNELS_MAX: Final = 4


class NothingArrived(Exception):
    """What should lie in the socket does not."""


def lending_path(work_endpoint: str) -> Path:
    """Tell where the socket is, beside that of the frames' road: there is one if `frames.lent_directory` is set."""
    return Path(work_endpoint.removeprefix("ipc://") + ".lent")


def mapped_bytes_max(frames: FramesSettings) -> int:
    """Tell how much of lent segments a worker may map in all, in whole pages; 0 where nothing is borrowed."""
    if not frames.lent_directory:
        return 0
    # A frame can begin and end in mid-page.
    frame_bytes = (frames.max_pixels * _CHANNELS_MAX + 2 * mmap.PAGESIZE) // mmap.PAGESIZE * mmap.PAGESIZE
    return max(MAPPED_BYTES_MAX, frame_bytes)


def listen(path: Path) -> socket.socket:
    """Open the broker's end. What a predecessor left is taken away. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    previous = os.umask(0o777 & ~_OWNER_ONLY)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(previous)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def accept(listener: socket.socket) -> tuple[int, socket.socket] | None:
    """Take the next worker that waits: who it says it is, and the connection. None where nobody waits.

    Raises OSError, `msgspec.MsgspecError` of one that does not say; its connection is closed.
    """
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return None
    try:
        connection.setblocking(False)
        said = msgspec.msgpack.decode(connection.recv(MESSAGE_BYTES_MAX), type=Borrower)
    except BaseException:
        connection.close()
        raise
    return said.incarnation, connection


def tell(connection: socket.socket, message: ToBorrower, descriptor: int | None = None) -> None:
    """Say something to a worker, with a descriptor. Raises OSError where it is gone or has not read for too long."""
    socket.send_fds(connection, [msgspec.msgpack.encode(message)], [] if descriptor is None else [descriptor])


class LendingEnd:
    """A worker's end."""

    def __init__(self, path: Path, incarnation: int) -> None:
        """Connect, and say who this is. Raises OSError."""
        self._decoder: msgspec.msgpack.Decoder[ToBorrower] = msgspec.msgpack.Decoder(ToBorrower)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._socket.settimeout(CONNECT_WITHIN_S)
            self._socket.connect(str(path))
            self._socket.send(msgspec.msgpack.encode(Borrower(incarnation)))
        except BaseException:
            self._socket.close()
            raise
        self._socket.settimeout(ARRIVES_WITHIN_S)

    def fileno(self) -> int:
        """Descriptor to poll for reading."""
        return self._socket.fileno()

    def receive(self) -> tuple[SegmentLent, int] | SegmentGone:
        """Take what the broker has said; a segment's descriptor is the caller's to close. Raises `NothingArrived`."""
        try:
            # Not `socket.recv_fds`, which forgets the flag.
            data, beside, _, _ = self._socket.recvmsg(MESSAGE_BYTES_MAX, _ROOM_BYTES, socket.MSG_CMSG_CLOEXEC)
        except OSError as error:
            raise NothingArrived(str(error)) from error
        if not data:
            raise NothingArrived("the broker is gone")
        message = self._decoder.decode(data)
        if isinstance(message, SegmentGone):
            return message
        # The kernel leaves out what there is no room for, and says nothing that would be an error.
        if not beside:
            raise NothingArrived("a segment came without its descriptor: this process has no room for one more")
        (descriptor,) = _DESCRIPTOR.unpack_from(beside[0][2])
        return message, descriptor

    def close(self) -> None:
        """Close this end."""
        self._socket.close()
