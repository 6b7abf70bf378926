"""ZeroMQ sockets, each made in one place with every limit set. One row of options a channel.

| socket | type | binds | full | lost peer | longest message |
|---|---|---|---|---|---|
| producers' door | ROUTER | broker | EAGAIN, kept by the broker within bounds | EHOSTUNREACH | four frames |
| who may come in, by TCP | REP | broker, inproc | libzmq's to deal with | there is none | none |
| work, broker's end | ROUTER | broker | never: credit is far below the mark | EHOSTUNREACH | the arena |
| work, worker's end | DEALER | worker connects | blocks, which is back-pressure | the worker ends | a batch |
| telemetry | PUSH | all connect | EAGAIN: lost, the next one says more | sends to nobody | none comes |
| telemetry | PULL | control | senders lose theirs | | as of `bind_telemetry` |

A connection is closed that has not greeted within `HANDSHAKE_MS`; a producer's also when nothing comes from it for
`HEARTBEAT_TIMEOUT_MS`, not even the answer to a heartbeat. Between our own processes there are no heartbeats: the
supervisor knows who lives, and one that was stopped for a while goes on afterwards.
"""

import grp
import os
from pathlib import Path
from typing import Final, TypeAlias

import zmq

from ipc.settings import FramesSettings

Socket: TypeAlias = "zmq.Socket[bytes]"
Context: TypeAlias = "zmq.Context[zmq.Socket[bytes]]"

HANDSHAKE_MS: Final = 5_000
HEARTBEAT_MS: Final = 2_000
HEARTBEAT_TIMEOUT_MS: Final = 6_000
BACKLOG: Final = 32
"""Connections that wait to be accepted, a twentieth of a millisecond each; who finds no place tries again."""
PRODUCER_RECEIVE_MARK: Final = 16
"""Messages that libzmq may hold from one producer before the broker has read them.

It bounds a connection, and not all of them together: a thousand that flood at once are kept small by the broker, which
refuses faster than they send, and in the end by `memory.broker_limit_mb`.
"""
PRODUCER_SEND_MARK: Final = 16
"""Messages that libzmq may hold for one producer; beyond, the broker's own bounded backlog takes over."""
PRODUCER_LINGER_MS: Final = 1_000
WORK_MARK: Final = 64
BATCH_BYTES_MAX: Final = 4 << 20
"""Of a message to a worker: a few tasks, none with more steps than a request or a preset can hold."""
HANDSHAKE_BYTES_MAX: Final = 1024
"""Of what a socket gets that only sends."""
TELEMETRY_SEND_MARK: Final = 2
"""These wait for a collector that is not up yet: the first figures arrive as soon as it is, stale ones are few."""
TELEMETRY_RECEIVE_MARK: Final = 64
"""For each sender: half a minute of its messages, should the collector be starved."""
ZAP_ADDRESS: Final = "inproc://zeromq.zap.01"
"""Where libzmq asks who may come in, as RFC 27 says."""
ZAP_DOMAIN: Final = b"frames"
_OWNER_ONLY: Final = 0o600


def make_context() -> Context:
    """Make the context of this process. Never before an exec, never shared with a fork."""
    context: Context = zmq.Context(io_threads=1)
    context.set(zmq.MAX_SOCKETS, 64)
    context.set(zmq.BLOCKY, 0)
    return context


def bind_producers(
    context: Context, frames: FramesSettings, message_bytes_max: int, secret_key: bytes | None
) -> Socket:
    """Open the producers' door. Raises `zmq.ZMQError` where an address is taken, OSError, and LookupError for a group.

    Who comes over TCP must know the public key that belongs to `secret_key`, and be let in by who answers at
    `ZAP_ADDRESS`; without the key no address of TCP is bound.
    """
    router = context.socket(zmq.ROUTER)
    try:
        router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        router.setsockopt(zmq.ROUTER_HANDOVER, 0)
        router.setsockopt(zmq.RCVHWM, PRODUCER_RECEIVE_MARK)
        router.setsockopt(zmq.SNDHWM, PRODUCER_SEND_MARK)
        router.setsockopt(zmq.LINGER, PRODUCER_LINGER_MS)
        _set_limits(router, message_bytes_max)
        _set_heartbeats(router)
        for endpoint in frames.endpoints:
            if endpoint.startswith("ipc://"):
                _bind_file(router, endpoint, frames.socket_mode, frames.socket_group)
        # ORDER: an option counts for what is bound after it. Unix sockets are shut by their mode and have no keys.
        if secret_key is not None:
            router.setsockopt(zmq.CURVE_SERVER, 1)
            router.setsockopt(zmq.CURVE_SECRETKEY, secret_key)
            router.setsockopt(zmq.ZAP_DOMAIN, ZAP_DOMAIN)
            # Where nobody answers, nobody comes in; libzmq's default is everybody.
            router.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
            for endpoint in frames.endpoints:
                if endpoint.startswith("tcp://"):
                    router.setsockopt(zmq.IPV6, int("[" in endpoint))
                    router.bind(endpoint)
    except BaseException:
        router.close(linger=0)
        raise
    return router


def bind_questions(context: Context) -> Socket:
    """Open the socket at which libzmq asks who may come in. To be bound before any address of TCP."""
    questions = context.socket(zmq.REP)
    questions.setsockopt(zmq.LINGER, 0)
    questions.bind(ZAP_ADDRESS)
    return questions


def bind_work(context: Context, endpoint: str, message_bytes_max: int) -> Socket:
    """Open the broker's end of the frames' road."""
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    router.setsockopt(zmq.ROUTER_HANDOVER, 0)
    router.setsockopt(zmq.RCVHWM, WORK_MARK)
    router.setsockopt(zmq.SNDHWM, WORK_MARK)
    router.setsockopt(zmq.LINGER, 0)
    router.setsockopt(zmq.HEARTBEAT_IVL, 0)
    _set_limits(router, message_bytes_max)
    _bind_file(router, endpoint, _OWNER_ONLY, "")
    return router


def make_work_end(context: Context, incarnation: int) -> Socket:
    """Make a worker's end of the frames' road, for one who watches how it is connected."""
    dealer = context.socket(zmq.DEALER)
    dealer.setsockopt(zmq.ROUTING_ID, b"w%d" % incarnation)
    dealer.setsockopt(zmq.RCVHWM, WORK_MARK)
    dealer.setsockopt(zmq.SNDHWM, WORK_MARK)
    dealer.setsockopt(zmq.LINGER, 0)
    dealer.setsockopt(zmq.HEARTBEAT_IVL, 0)
    _set_limits(dealer, BATCH_BYTES_MAX)
    # All children start at once: the broker may bind a moment later than a worker connects.
    dealer.setsockopt(zmq.RECONNECT_IVL, 10)
    dealer.setsockopt(zmq.RECONNECT_IVL_MAX, 1_000)
    return dealer


def bind_telemetry(context: Context, endpoint: str, message_bytes_max: int) -> Socket:
    """Open the collector's end of what all processes tell of themselves."""
    pull = context.socket(zmq.PULL)
    pull.setsockopt(zmq.RCVHWM, TELEMETRY_RECEIVE_MARK)
    pull.setsockopt(zmq.LINGER, 0)
    pull.setsockopt(zmq.HEARTBEAT_IVL, 0)
    _set_limits(pull, message_bytes_max)
    _bind_file(pull, endpoint, _OWNER_ONLY, "")
    return pull


def connect_telemetry(context: Context, endpoint: str, mark: int = TELEMETRY_SEND_MARK) -> Socket:
    """Open a process's end of it. Who forwards what others tell needs a `mark` with room for one of each."""
    push = context.socket(zmq.PUSH)
    push.setsockopt(zmq.SNDHWM, mark)
    push.setsockopt(zmq.LINGER, 0)
    push.setsockopt(zmq.HEARTBEAT_IVL, 0)
    _set_limits(push, HANDSHAKE_BYTES_MAX)
    push.setsockopt(zmq.RECONNECT_IVL, 50)
    push.setsockopt(zmq.RECONNECT_IVL_MAX, 1_000)
    push.connect(endpoint)
    return push


def _set_limits(socket: Socket, message_bytes_max: int) -> None:
    """Set what every socket has. A connected one gets its own peer's messages only, but the same handshake."""
    socket.setsockopt(zmq.MAXMSGSIZE, message_bytes_max)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.setsockopt(zmq.BACKLOG, BACKLOG)


def _set_heartbeats(socket: Socket) -> None:
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS)


def _bind_file(socket: Socket, endpoint: str, mode: int, group: str) -> None:
    """Bind to a unix socket. There is no moment in which more may connect than are meant to."""
    path = Path(endpoint.removeprefix("ipc://"))
    previous = os.umask(0o777 & ~_OWNER_ONLY)
    try:
        socket.bind(endpoint)
    finally:
        os.umask(previous)
    # ORDER: the group first, or its predecessor would be let in for a moment.
    if group:
        os.chown(path, -1, grp.getgrnam(group).gr_gid, follow_symlinks=False)
    if mode != _OWNER_ONLY:
        path.chmod(mode)
