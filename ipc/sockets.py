"""ZeroMQ sockets, each made in one place with every limit set. One row of options a channel.

| socket | type | binds | full | lost peer |
|---|---|---|---|---|
| producers' door | ROUTER | broker | EAGAIN, kept by the broker within bounds | EHOSTUNREACH |
| work, broker's end | ROUTER | broker | never: credit is far below the mark | EHOSTUNREACH |
| work, worker's end | DEALER | worker connects | blocks, which is back-pressure | the supervisor ends the worker |
"""

import os
from typing import Final

import zmq

HANDSHAKE_MS: Final = 5_000
HEARTBEAT_MS: Final = 2_000
HEARTBEAT_TIMEOUT_MS: Final = 6_000
PRODUCER_RECEIVE_MARK: Final = 64
"""Messages that libzmq may hold from one producer before the broker has read them."""
PRODUCER_SEND_MARK: Final = 32
"""Messages that libzmq may hold for one producer; beyond, the broker's own bounded backlog takes over."""
WORK_MARK: Final = 64


def make_context() -> zmq.Context[zmq.Socket[bytes]]:
    """Make the context of this process. Never before an exec, never shared with a fork."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
    context.set(zmq.MAX_SOCKETS, 64)
    context.set(zmq.BLOCKY, 0)
    return context


def bind_producers(
    context: zmq.Context[zmq.Socket[bytes]], endpoints: list[str], message_bytes_max: int, socket_mode: int
) -> zmq.Socket[bytes]:
    """Open the producers' door. Unix sockets get `socket_mode`. Raises `zmq.ZMQError` where an address is taken."""
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    router.setsockopt(zmq.RCVHWM, PRODUCER_RECEIVE_MARK)
    router.setsockopt(zmq.SNDHWM, PRODUCER_SEND_MARK)
    router.setsockopt(zmq.MAXMSGSIZE, message_bytes_max)
    router.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    router.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    router.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    router.setsockopt(zmq.HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS)
    router.setsockopt(zmq.BACKLOG, 128)
    router.setsockopt(zmq.LINGER, 1_000)
    # The mode must be right from the first moment: a chmod after the bind would leave a gap.
    previous = os.umask(0o777 & ~socket_mode)
    try:
        for endpoint in endpoints:
            router.bind(endpoint)
    finally:
        os.umask(previous)
    return router


def bind_work(context: zmq.Context[zmq.Socket[bytes]], endpoint: str, message_bytes_max: int) -> zmq.Socket[bytes]:
    """Open the broker's end of the frames' road."""
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    router.setsockopt(zmq.RCVHWM, WORK_MARK)
    router.setsockopt(zmq.SNDHWM, WORK_MARK)
    router.setsockopt(zmq.MAXMSGSIZE, message_bytes_max)
    router.setsockopt(zmq.LINGER, 0)
    previous = os.umask(0o177)
    try:
        router.bind(endpoint)
    finally:
        os.umask(previous)
    return router


def connect_work(context: zmq.Context[zmq.Socket[bytes]], endpoint: str, incarnation: int) -> zmq.Socket[bytes]:
    """Open a worker's end of the frames' road."""
    dealer = context.socket(zmq.DEALER)
    dealer.setsockopt(zmq.ROUTING_ID, b"w%d" % incarnation)
    dealer.setsockopt(zmq.RCVHWM, WORK_MARK)
    dealer.setsockopt(zmq.SNDHWM, WORK_MARK)
    dealer.setsockopt(zmq.LINGER, 0)
    # All children start at once: the broker may bind a moment later than a worker connects.
    dealer.setsockopt(zmq.RECONNECT_IVL, 10)
    dealer.setsockopt(zmq.RECONNECT_IVL_MAX, 1_000)
    dealer.connect(endpoint)
    return dealer
