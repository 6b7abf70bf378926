"""The tether: a worker's one connection, of which it must know when it stands and when it is lost.

libzmq makes connections, and makes them again, behind the program's back. A worker that is shut in cannot make one
again: it must not shut itself in before there is one, and must end when it is gone.
"""

import struct
from typing import Final

import zmq

from ipc.sockets import Context, Socket, make_work_end

_EVENT: Final = struct.Struct("=H")
"""Of the first part of what libzmq says of a connection: which event it is (zmq_socket_monitor(3))."""


class Tether:
    """A worker's end of the frames' road, and a watch over its connection."""

    def __init__(self, context: Context, endpoint: str, incarnation: int) -> None:
        self.socket: Socket = make_work_end(context, incarnation)
        # ORDER: watched before it is connected, or the first event could be missed.
        self.events: Socket = self.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
        """Readable when there is something to `look` at."""
        self.socket.connect(endpoint)
        self.is_made = False
        self.is_lost = False
        """Whether a connection that was made is gone, even if libzmq has made another."""

    def look(self) -> None:
        """Take note of what has happened."""
        while self.events.poll(0):
            (event,) = _EVENT.unpack_from(self.events.recv_multipart()[0])
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.is_made = True
            elif self.is_made:
                self.is_lost = True

    def close(self) -> None:
        """Let go of it; what was not sent is discarded."""
        self.socket.disable_monitor()
        self.events.close()
        self.socket.close()
