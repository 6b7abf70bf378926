"""Snapshots: the bodies that are asked for again and again, by path."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import msgspec

from control.health import Liveness, Status
from control.observer import Observer
from control.replies import encode_json


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An answer, but for its headers."""

    status: HTTPStatus
    body: bytes
    """JSON."""


class Snapshots:
    """Takes each from the observer when it is asked for."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._takers: dict[str, Callable[[], Snapshot]] = {
            "/health": self._health,
            "/health/live": lambda: _snapshot(Liveness(Status.OK)),
            "/health/ready": self._ready,
            "/api/metrics": lambda: _snapshot(observer.metrics()),
            "/api/services/health": lambda: _snapshot(observer.services()),
            "/api/memory-analysis": lambda: _snapshot(observer.memory()),
        }

    def has(self, path: str) -> bool:
        """Whether there is one of this path."""
        return path in self._takers

    def take(self, path: str) -> Snapshot:
        """Take the one of this path. KeyError if there is none."""
        return self._takers[path]()

    def _health(self) -> Snapshot:
        health = self._observer.health()
        return _snapshot(health, is_well=health.status is not Status.UNHEALTHY)

    def _ready(self) -> Snapshot:
        readiness = self._observer.readiness()
        return _snapshot(readiness, is_well=readiness.ready)


def _snapshot(body: msgspec.Struct, *, is_well: bool = True) -> Snapshot:
    return Snapshot(HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE, encode_json(body))
