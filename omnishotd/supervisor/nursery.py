"""Nursery: where services get their processes, and the arena that one life of the pipeline shares."""

import os
import secrets
import socket
import time
from typing import Final

from ipc.arena import ArenaUnavailable, reserve_arena
from ipc.messages import Start
from ipc.settings import Settings
from omnishotd.supervisor.children import spawn
from omnishotd.supervisor.instance import Instance, StartupError
from omnishotd.supervisor.lifecycle import ServiceEvent
from omnishotd.supervisor.roster import BROKER, CONTROL
from omnishotd.supervisor.service import Service

SPAWN_TIMEOUT_S: Final = 10.0
EXIT_NO_MEMORY: Final = 71


class Nursery:
    """Starts processes. Each gets an incarnation number that is never used again."""

    def __init__(self, settings: Settings, instance: Instance, listener: socket.socket, *, json_logs: bool) -> None:
        self._settings = settings
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
        """Make a new arena in place of the old one, and a new name. Raises `StartupError`."""
        self._close_arena()
        try:
            self._arena_fd = reserve_arena(self._arena_bytes)
        except ArenaUnavailable as error:
            raise StartupError(str(error), EXIT_NO_MEMORY) from error
        self.epoch = secrets.token_hex(8)

    def name_next(self, service: Service) -> None:
        """Give a service the number of the process it is about to get."""
        self._incarnation += 1
        service.incarnation = self._incarnation

    def spawn(self, service: Service) -> None:
        """Start a process for a service that has been given its number. Raises OSError."""
        now_s = time.monotonic()
        service.advance(ServiceEvent.SPAWN)
        service.restart_at_s = None
        service.kill_reason, service.kill_cause = "", None
        has_arena = service.is_worker or service.kind == BROKER
        descriptors = [self._arena_fd] if has_arena else [self._listener.fileno(), self._archive_fd]
        service.child = spawn(service.module, self._start(service, has_arena=has_arena), descriptors)
        service.started_at_s = now_s
        if service.last_exit is not None:
            service.restarts[service.last_exit.cause] += 1
        service.kill_at_s = now_s + SPAWN_TIMEOUT_S

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
        return self._settings.memory.arena_mb << 20

    def _start(self, service: Service, *, has_arena: bool) -> Start:
        return Start(
            service=service.name,
            incarnation=service.incarnation,
            stages=service.stages,
            epoch=self.epoch,
            settings=self._settings if service.kind == CONTROL else self._settings.without_secrets(),
            parent_pid=os.getpid(),
            arena_fd=self._arena_fd if has_arena else -1,
            arena_bytes=self._arena_bytes if has_arena else 0,
            work_endpoint=self._instance.endpoint("work.sock"),
            telemetry_endpoint=self._instance.endpoint("telemetry.sock"),
            listen_fd=-1 if has_arena else self._listener.fileno(),
            archive_fd=-1 if has_arena else self._archive_fd,
            json_logs=self._json_logs,
        )
