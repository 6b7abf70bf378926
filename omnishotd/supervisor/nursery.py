"""Nursery: where services get their processes, and the arena that one life of the pipeline shares."""

import os
import secrets
import socket

from ipc.messages import Start
from ipc.reservation import reserve_arena
from ipc.settings import Settings
from omnishotd.supervisor.children import ChildProcess, spawn
from omnishotd.supervisor.instance import Instance
from omnishotd.supervisor.roster import BROKER, CONTROL
from omnishotd.supervisor.service import Service


class Nursery:
    """Starts processes. Each gets an incarnation number that is never used again."""

    def __init__(self, settings: Settings, instance: Instance, listener: socket.socket, *, json_logs: bool) -> None:
        self.settings = settings
        """What processes that are started from now on are given."""
        self._instance = instance
        self._listener = listener
        self._json_logs = json_logs
        self._incarnation = 0
        self._arena_fd = -1
        # What the control plane knows outlives its processes, and not the daemon: see `control.archive`.
        self._archive_fd = os.memfd_create("omnishotd-archive")
        self.epoch = ""
        """Name of this life of the broker and its arena, in hexadecimal."""

    def begin_epoch(self) -> None:
        """Make a new arena in place of the old one, and a new name. Raises `ArenaUnavailable`."""
        self._close_arena()
        self._arena_fd = reserve_arena(self._arena_bytes)
        self.epoch = secrets.token_hex(8)

    def next_incarnation(self) -> int:
        """Return the number of the process that is about to be started."""
        self._incarnation += 1
        return self._incarnation

    def spawn(self, service: Service, incarnation: int) -> ChildProcess:
        """Start a process for a service. Raises OSError."""
        has_arena = service.is_worker or service.kind == BROKER
        descriptors = [self._arena_fd] if has_arena else [self._listener.fileno(), self._archive_fd]
        start = self._start(service, incarnation, has_arena=has_arena)
        # Nobody needs to know the lock: it is held by whoever lives.
        return spawn(service.module, start, [*descriptors, self._instance.children_lock])

    def close(self) -> None:
        """Let go of what children share."""
        self._close_arena()
        if self._archive_fd >= 0:
            os.close(self._archive_fd)
            self._archive_fd = -1

    def _close_arena(self) -> None:
        """Let go of the arena: its memory is free when the last process that maps it has ended."""
        if self._arena_fd >= 0:
            os.close(self._arena_fd)
            self._arena_fd = -1

    @property
    def _arena_bytes(self) -> int:
        return self.settings.memory.arena_mb << 20

    def _start(self, service: Service, incarnation: int, *, has_arena: bool) -> Start:
        return Start(
            service=service.name,
            incarnation=incarnation,
            stages=service.stages,
            epoch=self.epoch,
            settings=self.settings if service.kind == CONTROL else self.settings.without_secrets(),
            parent_pid=os.getpid(),
            arena_fd=self._arena_fd if has_arena else -1,
            arena_bytes=self._arena_bytes if has_arena else 0,
            work_endpoint=self._instance.endpoint("work.sock"),
            telemetry_endpoint=self._instance.endpoint("telemetry.sock"),
            listen_fd=-1 if has_arena else self._listener.fileno(),
            archive_fd=-1 if has_arena else self._archive_fd,
            json_logs=self._json_logs,
        )
