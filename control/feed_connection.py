"""One connection of the feed: WebSocket frames onto one subscriber, bounded in every direction.

Not uvicorn's WebSocket protocols: they cannot end a connection that is blocked, they answer pings without end to a
client that does not read, and they need two tasks a connection where this needs none.
"""

import asyncio
import time
from contextlib import suppress
from typing import Final

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from control.feed import Feed
from control.handshake import Handshake
from control.patience import Patience
from control.subscriber import Subscriber
from ipc.rates import RateLimiter

FRAGMENTS_MAX: Final = 16
"""Of one message: an empty fragment has no bytes that a limit of bytes would see."""
FRAMES_PER_S: Final = 10
FRAMES_AT_ONCE: Final = 50
PING_INTERVAL_S: Final = 20.0
"""A client from which nothing came since the last ping is gone."""
CLOSE_TIMEOUT_S: Final = 3.0
"""For the client to read what was sent, and to hang up."""
SHUTDOWN_TIMEOUT_S: Final = 0.5
"""The same, when this process ends."""
SEND_BUFFER_BYTES: Final = 64 * 1024
SLICE_BYTES: Final = 4096
"""Read at once: of frames without content this holds hundreds, and their rate is looked at in between."""


class FeedConnection(asyncio.Protocol):
    """A connection whose handshake was good, until it ends."""

    def __init__(self, handshake: Handshake, feed: Feed, connections: set["FeedConnection"]) -> None:
        self._handshake = handshake
        self._protocol: ServerProtocol = handshake.protocol
        self._feed = feed
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._subscriber: Subscriber | None = None
        self._rate = RateLimiter(FRAMES_PER_S, FRAMES_AT_ONCE)
        self._fragments: list[bytes] = []
        self._has_spoken = True
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport
        self._patience: Patience

    # ---- what asyncio and uvicorn call

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # always one of TCP
        """Take the connection over from HTTP."""
        self._transport = transport
        self._patience = Patience(transport, SEND_BUFFER_BYTES, self._give_up)
        self._connections.add(self)
        self._protocol.send_response(self._handshake.response)
        self._write()
        self._subscriber = self._feed.join(self)
        if self._subscriber is None:
            self.end(CloseCode.TRY_AGAIN_LATER, "all places are taken")
            return
        self._timer = self._loop.call_later(PING_INTERVAL_S, self._ping)
        if self._handshake.more:
            self.data_received(self._handshake.more)

    def connection_lost(self, _: Exception | None) -> None:
        """Forget everything."""
        self._patience.end()
        self._retire()
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        self._has_spoken = True
        for start in range(0, len(data), SLICE_BYTES):
            self._protocol.receive_data(data[start : start + SLICE_BYTES])
            for event in self._protocol.events_received():
                if isinstance(event, Frame):
                    self._take(event)
            self._write()

    def pause_writing(self) -> None:
        """Hear nothing of a client that does not listen: there would be no end to what is to be answered."""
        self._patience.begin()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._patience.end()
        self._transport.resume_reading()
        if self._subscriber is not None:
            self._subscriber.flush()

    def shutdown(self) -> None:
        """End: the control plane does, and waits for nobody."""
        self.end(CloseCode.SERVICE_RESTART, "the control plane stops")
        self._loop.call_later(SHUTDOWN_TIMEOUT_S, self._transport.abort)

    # ---- what the feed calls

    @property
    def is_clear(self) -> bool:
        """Whether all that was sent has left, so that more may be sent."""
        return not self._patience.is_tried and self._protocol.state is State.OPEN

    def send(self, text: bytes) -> None:
        """Send one message; when the connection is ending, nothing."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_text(text)
            self._write()

    # ---- what comes in

    def _take(self, frame: Frame) -> None:
        if self._protocol.state is not State.OPEN:
            return
        if self._rate.retry_after_us(b"", time.monotonic_ns() // 1000):
            self.end(CloseCode.POLICY_VIOLATION, f"more than {FRAMES_PER_S} frames a second")
        elif frame.opcode is Opcode.BINARY:
            self.end(CloseCode.UNSUPPORTED_DATA, "messages are text")
        elif frame.opcode in {Opcode.TEXT, Opcode.CONT}:
            self._collect(frame)

    def _collect(self, frame: Frame) -> None:
        self._fragments.append(bytes(frame.data))
        if len(self._fragments) > FRAGMENTS_MAX:
            self.end(CloseCode.POLICY_VIOLATION, f"more than {FRAGMENTS_MAX} fragments")
        elif frame.fin:
            data, self._fragments = b"".join(self._fragments), []
            try:
                text = data.decode()
            except UnicodeDecodeError:
                self.end(CloseCode.INVALID_DATA, "messages are UTF-8")
                return
            if self._subscriber is not None:
                self._feed.hear(self._subscriber, text)

    # ---- what goes out

    def _write(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                # The library's way to say that nothing follows.
                self._hang_up()

    def _ping(self) -> None:
        self._timer = self._loop.call_later(PING_INTERVAL_S, self._ping)
        if self._patience.is_tried:
            return
        if not self._has_spoken:
            self.end(CloseCode.INTERNAL_ERROR, "no answer to a ping")
            return
        self._has_spoken = False
        self._protocol.send_ping(b"")
        self._write()

    # ---- the end

    def end(self, code: CloseCode, reason: str) -> None:
        """Say goodbye, and hang up soon, whether the client reads it or not."""
        if self._protocol.state is State.OPEN:
            self._protocol.fail(code, reason)
            self._write()

    def _give_up(self) -> None:
        if self._protocol.state is State.OPEN and not self._transport.is_closing():
            self.end(CloseCode.TRY_AGAIN_LATER, "too slow")
        else:
            self._transport.abort()

    def _hang_up(self) -> None:
        self._retire()
        if not self._transport.is_closing():
            with suppress(OSError):
                # The client has just gone: asyncio tells it here, and only then the connection's loss.
                self._transport.write_eof()
            # So that the client is seen to hang up; the library throws away whatever else it sends.
            self._transport.resume_reading()
            self._timer = self._loop.call_later(CLOSE_TIMEOUT_S, self._transport.abort)

    def _retire(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._subscriber is not None:
            self._feed.leave(self._subscriber)
            self._subscriber = None
