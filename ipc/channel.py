"""Channel between the supervisor and one child: a SOCK_SEQPACKET pair that carries declared messages.

Not ZeroMQ, on purpose: the kernel keeps message borders, an end that dies reads as end of file at once, and there is no
thread behind it. It carries a handful of messages a second, never a frame.
"""

import socket
from collections import deque
from typing import Any, Final, Generic, Self, TypeVar

import msgspec

from ipc.messages import FromChild, ToChild

MESSAGE_BYTES_MAX: Final = 128 * 1024
"""`Start` carries all settings, presets among them; all others are small. Below the kernel's default buffer."""
UNSENT_MAX: Final = 4096
"""Messages kept for a peer that does not read; more means that it is stuck, which its own watchman must see."""

Received = TypeVar("Received")


class ChannelClosed(Exception):
    """The other end is gone."""


class ChannelMisused(Exception):
    """The other end said something that is no message."""


class Channel(Generic[Received]):
    """One end. Sending never blocks: what the kernel does not take now is kept and sent by `flush`."""

    def __init__(self, end: socket.socket, receives: Any) -> None:
        end.setblocking(False)
        self._socket = end
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[Received] = msgspec.msgpack.Decoder(receives)
        self._unsent: deque[bytes] = deque()

    def fileno(self) -> int:
        """Descriptor to poll for reading."""
        return self._socket.fileno()

    @property
    def wants_flush(self) -> bool:
        """Whether messages wait for room: poll for writing, then call `flush`."""
        return bool(self._unsent)

    def send(self, message: msgspec.Struct) -> None:
        """Send a message, or keep it until the peer reads. Raises `ChannelClosed`."""
        data = self._encoder.encode(message)
        if len(data) > MESSAGE_BYTES_MAX:
            raise ValueError(f"{type(message).__name__} has {len(data)} bytes, at most {MESSAGE_BYTES_MAX} go through")
        if len(self._unsent) >= UNSENT_MAX:
            raise ChannelClosed("the peer has not read for too long")
        self._unsent.append(data)
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the kernel takes it. Raises `ChannelClosed`."""
        while self._unsent:
            try:
                self._socket.send(self._unsent[0])
            except BlockingIOError:
                return
            except OSError as error:
                raise ChannelClosed(str(error)) from error
            self._unsent.popleft()

    def receive(self) -> Received | None:
        """Return the next message, or None when there is none now. Raises `ChannelClosed`, `ChannelMisused`."""
        try:
            data = self._read()
        except BlockingIOError:
            return None
        except OSError as error:
            raise ChannelClosed(str(error)) from error
        if not data:
            raise ChannelClosed("end of file")
        try:
            return self._decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ChannelMisused(str(error)) from error

    def _read(self) -> bytes:
        try:
            return self._socket.recv(MESSAGE_BYTES_MAX)
        except ConnectionResetError:
            # The peer ended without having read all: the kernel says so once, and before what the peer had said last.
            return self._socket.recv(MESSAGE_BYTES_MAX)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def channel_pair() -> tuple[Channel[FromChild], socket.socket]:
    """Make a channel: the supervisor's end, and the socket that the child inherits."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(ours, FromChild), theirs


def child_channel(descriptor: int) -> Channel[ToChild]:
    """Take up the child's end from its inherited descriptor."""
    return Channel(socket.socket(fileno=descriptor), ToChild)
