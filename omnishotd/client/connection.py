"""The one thread that owns the socket: takes requests over from callers, sends, receives, settles futures.

A ZeroMQ socket must not be touched by two threads. Callers put what they want into a list under a lock and wake the
thread through a pipe: one write wakes for any number of requests, any thread may write, and the poller waits on it
beside the sockets. What happens to a request is decided in `omnishotd.client.pending`; here are only its hands.
"""

import contextlib
import math
import os
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final, TypeAlias

import zmq

from omnishotd.client.curve import FAILED_HANDSHAKE, Keys, why_it_failed
from omnishotd.client.errors import ClientClosed, OmnishotError
from omnishotd.client.messages import read_reply
from omnishotd.client.pending import CONTROLS_MAX, Counters, Finished, PendingTable
from omnishotd.client.request import Request

Socket: TypeAlias = "zmq.Socket[bytes]"
Context: TypeAlias = "zmq.Context[zmq.Socket[bytes]]"

CLOSE_S: Final = 5.0
"""Longest wait for the thread to end; it takes a caller's slow done-callback to come near it."""
HEARTBEAT_MS: Final = 2_000
HEARTBEAT_TIMEOUT_MS: Final = 6_000
HANDSHAKE_MS: Final = 5_000
COPIED_BYTES_MAX: Final = 1 << 20
RECONNECT_MS: Final = 100
RECONNECT_MAX_MS: Final = 500
"""A broker that died is back within a second: longer waits would only lengthen the silence."""
REDIAL_S: Final = 0.5
"""After a connection that libzmq does not make again by itself."""
RECEIVED_AT_ONCE_MAX: Final = 64
_EVENTS: Final = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CONNECT_RETRIED | FAILED_HANDSHAKE
_MONITOR_EVENT: Final = struct.Struct("=Hi")
"""First part of a monitor's message: what happened, and a number that belongs to it."""


class Connection:
    """A connection to one daemon, with its thread. Made and closed by a client."""

    def __init__(
        self, endpoint: str, keys: Keys | None, table: PendingTable, in_flight_max: int, reply_bytes_max: int
    ) -> None:
        self._table = table
        self._keys = keys
        self._endpoint = endpoint
        self._redial_s = math.inf
        # Reentrant: a collection of garbage in a thread that holds it may be the one that finalizes the client.
        self._lock = threading.RLock()
        self._commands: list[Callable[[], list[Finished]]] = []
        """Done by the thread, in order. Bounded by the client's window: one submission and a few cancels a request."""
        self._futures: dict[str, Future[Any]] = {}
        self._is_closing = False
        self._context: Context = zmq.Context(io_threads=1)
        self._context.set(zmq.MAX_SOCKETS, 8)
        self._context.set(zmq.BLOCKY, 0)
        try:
            self._dealer, self._monitor = _open(self._context, endpoint, keys, in_flight_max, reply_bytes_max)
        except (zmq.ZMQError, ValueError) as error:
            self._context.destroy(linger=0)
            raise ValueError(f"endpoint: {endpoint!r}: {error}") from error
        self._woken_fd, self._wake_fd = os.pipe()
        os.set_blocking(self._woken_fd, False)
        os.set_blocking(self._wake_fd, False)
        # Daemonic, so that a program that forgot to close its client can end.
        self._thread = threading.Thread(target=self._run, name="omnishotd-client", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> "Future[Any]":
        """Hand over a request; its future is settled by the thread. Raises ValueError where the id is in flight."""
        future: Future[Any] = Future()

        def take() -> list[Finished]:
            self._table.submit(request)
            return []

        with self._lock:
            if self._is_closing:
                raise ClientClosed("the client is closed")
            if request.id in self._futures:
                raise ValueError(f"id: {request.id!r} is in flight already")
            self._futures[request.id] = future
            self._hand_over(take)
        future.add_done_callback(lambda done: self._abandon(request.id, done) if done.cancelled() else None)
        return future

    def cancel(self, request_id: str) -> None:
        """Ask for the cancellation of a request; nothing happens for one that is not in flight."""
        with self._lock:
            if request_id in self._futures and not self._is_closing:
                self._hand_over(lambda: self._table.cancel(request_id))

    def counters(self) -> Counters:
        """Return a copy of what was counted so far."""
        return replace(self._table.counters)

    @property
    def is_own_thread(self) -> bool:
        """Whether the caller is the thread itself, as a future's callback is: it must not wait for a reply."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """End the thread and every pending request. Returns within `CLOSE_S`; may be called twice."""
        with self._lock:
            if not self._is_closing:
                self._is_closing = True
                self._wake()
        if not self.is_own_thread:
            self._thread.join(CLOSE_S)

    def _abandon(self, request_id: str, future: "Future[Any]") -> None:
        with self._lock:
            # The id may already be another request's, whose future it then names.
            if self._futures.get(request_id) is future and not self._is_closing:
                self._hand_over(lambda: self._forget(request_id))

    def _forget(self, request_id: str) -> list[Finished]:
        self._table.abandon(request_id)
        with self._lock:
            future = self._futures.pop(request_id, None)
        if future is not None:
            # Tells those who wait for several futures at once.
            future.set_running_or_notify_cancel()
        return []

    def _hand_over(self, command: Callable[[], list[Finished]]) -> None:
        self._commands.append(command)
        self._wake()

    def _wake(self) -> None:
        # A full pipe wakes just as well. The thread closes the pipe under the same lock, after `_is_closing`.
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_fd, b"\0")

    # -------------------- on the thread --------------------

    def _run(self) -> None:
        try:
            poller = zmq.Poller()
            poller.register(self._woken_fd, zmq.POLLIN)
            poller.register(self._monitor, zmq.POLLIN)
            while not self._is_closing:
                is_blocked = self._send()
                poller.register(self._dealer, zmq.POLLIN | zmq.POLLOUT if is_blocked else zmq.POLLIN)
                poller.poll(self._wait_ms())
                self._drain_pipe()
                # ORDER: replies before the news that their connection is gone, else they would be asked for again.
                self._receive()
                self._watch()
                self._redial(time.monotonic())
                self._take_over()
                self._settle(self._table.elapse(time.monotonic()))
        finally:
            self._end()

    def _wait_ms(self) -> int | None:
        wake_s = min(self._table.wake_s, self._redial_s)
        if wake_s == math.inf:
            return None
        return max(0, int((wake_s - time.monotonic()) * 1000) + 1)

    def _send(self) -> bool:
        """Send what there is. Returns True where the socket takes no more now."""
        while (outgoing := self._table.outgoing(time.monotonic())) is not None:
            parts = [outgoing.header] if outgoing.payload is None else [outgoing.header, outgoing.payload]
            try:
                # pyzmq copies small parts all the same; a large one is lent, which is why it must not change.
                self._dealer.send_multipart(parts, zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return True
            self._table.sent(outgoing, time.monotonic())
        return False

    def _receive(self) -> None:
        for _ in range(RECEIVED_AT_ONCE_MAX):
            try:
                parts = self._dealer.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._settle(self._table.received(read_reply(parts), time.monotonic()))

    def _watch(self) -> None:
        while True:
            try:
                event, _endpoint = self._monitor.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            kind = _MONITOR_EVENT.unpack(event)[0]
            # libzmq gives a connection up for good over what it takes for a breach of protocol, as a picture that is
            # too long. Where it will try again by itself, it says so at once.
            self._redial_s = time.monotonic() + REDIAL_S if kind == zmq.EVENT_DISCONNECTED else math.inf
            if kind == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._settle(self._table.connected(time.monotonic()))
            elif kind == zmq.EVENT_DISCONNECTED:
                self._settle(self._table.disconnected())
            elif kind & FAILED_HANDSHAKE:
                self._table.refused(why_it_failed(kind, self._keys))

    def _redial(self, now_s: float) -> None:
        if now_s >= self._redial_s:
            self._redial_s = math.inf
            with contextlib.suppress(zmq.ZMQError):
                self._dealer.disconnect(self._endpoint)
            self._dealer.connect(self._endpoint)

    def _take_over(self) -> None:
        with self._lock:
            commands, self._commands = self._commands, []
        for command in commands:
            self._settle(command())

    def _drain_pipe(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken_fd, 4096)

    def _settle(self, finished: list[Finished]) -> None:
        for each in finished:
            with self._lock:
                future = self._futures.pop(each.id, None)
            if future is not None:
                _resolve(future, each)

    def _end(self) -> None:
        with self._lock:
            self._is_closing = True
        try:
            self._dealer.disable_monitor()
            self._monitor.close(linger=0)
            self._dealer.close(linger=0)
            self._context.term()
        finally:
            self._take_over()
            self._settle(self._table.close())
            with self._lock:
                os.close(self._wake_fd)
                os.close(self._woken_fd)


def _open(
    context: Context, endpoint: str, keys: Keys | None, in_flight_max: int, reply_bytes_max: int
) -> tuple[Socket, Socket]:
    """Return the connected socket and its monitor. They are handed to the thread by its start."""
    dealer = context.socket(zmq.DEALER)
    # Take nothing while there is no connection, and drop what a lost one had not sent: the table sends it again, once.
    dealer.setsockopt(zmq.IMMEDIATE, 1)
    dealer.setsockopt(zmq.LINGER, 0)
    # Below, a copy costs less than waking the thread that lets go of a message sent without one.
    dealer.copy_threshold = COPIED_BYTES_MAX
    dealer.setsockopt(zmq.SNDHWM, in_flight_max + CONTROLS_MAX)
    dealer.setsockopt(zmq.RCVHWM, in_flight_max + CONTROLS_MAX)
    dealer.setsockopt(zmq.MAXMSGSIZE, reply_bytes_max)
    dealer.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    dealer.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    dealer.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    dealer.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    dealer.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
    dealer.setsockopt(zmq.IPV6, int("[" in endpoint))
    if keys is not None:
        dealer.setsockopt(zmq.CURVE_SERVERKEY, keys.server_key)
        dealer.setsockopt(zmq.CURVE_PUBLICKEY, keys.public_key)
        dealer.setsockopt(zmq.CURVE_SECRETKEY, keys.secret_key)
    monitor = dealer.get_monitor_socket(_EVENTS)
    dealer.connect(endpoint)
    return dealer, monitor


def _resolve(future: "Future[Any]", finished: Finished) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if isinstance(finished.outcome, OmnishotError):
        future.set_exception(finished.outcome)
    else:
        future.set_result(finished.outcome)
