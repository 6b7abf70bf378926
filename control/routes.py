"""Routes: every path of the control plane, what it takes, and what it answers. The OpenAPI document is made of this."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Literal

import msgspec

from control.examination import Action
from control.health import Health, Liveness, Readiness
from control.memory import MemoryAnalysis
from control.metrics import Metrics
from control.orders import SERVICE_PATTERN, Order, Outcome
from control.rates import Traffic
from control.services import Services

HTML: Final = "text/html"
EXPOSITION: Final = "text/plain"
"""Prometheus's text form, version 0.0.4."""
ANY_TYPE: Final = "*/*"
OPENAPI: Final = "application/json"

FEED_PATH: Final = "/ws"

Body = type[msgspec.Struct] | str | None
"""A declared value, else a media type; None for no body."""

OK: Final = HTTPStatus.OK


@dataclass(frozen=True, slots=True)
class Declaration:
    """One operation."""

    path: str
    operation: str
    """Name of the endpoint's method."""
    summary: str
    answers: Mapping[HTTPStatus, Body]
    """Besides the refusals that any request may meet."""
    traffic: Traffic
    method: Literal["GET", "POST"] = "GET"
    is_open: bool = False
    """Served without the token."""
    takes: type[msgspec.Struct] | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)
    """JSON Schema of each part of the path that is not fixed."""
    refusals: tuple[HTTPStatus, ...] = ()
    """With the one form of errors."""

    @property
    def fixed(self) -> str:
        """What every path of the operation begins with."""
        return self.path.partition("{")[0]


_MAY_BE_KNOWN: Final = {HTTPStatus.NOT_MODIFIED: None}
_MAY_BE_UNWELL: Final = HTTPStatus.SERVICE_UNAVAILABLE

ROUTES: Final = (
    Declaration(
        path="/",
        operation="page",
        summary="The page for operators.",
        answers={OK: HTML, **_MAY_BE_KNOWN},
        traffic=Traffic.READ,
        is_open=True,
    ),
    Declaration(
        path="/page/{name}",
        operation="asset",
        summary="A part of the page.",
        answers={OK: ANY_TYPE, **_MAY_BE_KNOWN},
        traffic=Traffic.READ,
        is_open=True,
        parameters={"name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]*$"}},
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Declaration(
        path="/health",
        operation="health",
        summary="What is wrong, if anything.",
        answers={OK: Health, _MAY_BE_UNWELL: Health},
        traffic=Traffic.HEALTH,
    ),
    Declaration(
        path="/health/live",
        operation="live",
        summary="Whether this process answers.",
        answers={OK: Liveness},
        traffic=Traffic.HEALTH,
        is_open=True,
    ),
    Declaration(
        path="/health/ready",
        operation="ready",
        summary="Whether a frame submitted now would come through.",
        answers={OK: Readiness, _MAY_BE_UNWELL: Readiness},
        traffic=Traffic.HEALTH,
        is_open=True,
    ),
    Declaration(
        path="/api/metrics",
        operation="metrics",
        summary="The figures of the whole pipeline.",
        answers={OK: Metrics},
        traffic=Traffic.READ,
    ),
    Declaration(
        path="/api/services/health",
        operation="services",
        summary="Every process.",
        answers={OK: Services},
        traffic=Traffic.READ,
    ),
    Declaration(
        path="/api/memory-analysis",
        operation="memory",
        summary="Who holds how much memory, and whether it grows.",
        answers={OK: MemoryAnalysis},
        traffic=Traffic.READ,
    ),
    Declaration(
        path="/api/memory-analysis/{service}/{action}",
        operation="examine",
        summary="Have one process give memory back, collect its garbage, or tell where it allocates. Needs a token.",
        answers={OK: Outcome},
        traffic=Traffic.ACT,
        method="POST",
        takes=Order,
        parameters={
            "service": {"type": "string", "pattern": SERVICE_PATTERN},
            "action": msgspec.json.schema(Action),
        },
        refusals=(
            HTTPStatus.NOT_FOUND,
            HTTPStatus.REQUEST_TIMEOUT,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            HTTPStatus.SERVICE_UNAVAILABLE,
        ),
    ),
    Declaration(
        path="/metrics",
        operation="exposition",
        summary="All figures, for Prometheus.",
        answers={OK: EXPOSITION},
        traffic=Traffic.READ,
    ),
    Declaration(
        path="/openapi.json",
        operation="openapi",
        summary="This document.",
        answers={OK: OPENAPI},
        traffic=Traffic.READ,
    ),
    Declaration(
        path=FEED_PATH,
        operation="feed",
        summary="The feed: a WebSocket. A plain request is told to ask for the upgrade.",
        answers={HTTPStatus.SWITCHING_PROTOCOLS: None},
        traffic=Traffic.FEED,
        refusals=(HTTPStatus.UPGRADE_REQUIRED,),
    ),
)

_FIXED: Final = {route.path: route for route in ROUTES if not route.parameters}
_OTHERS: Final = tuple(route for route in ROUTES if route.parameters)


def find_route(path: str) -> Declaration | None:
    """Find what a path belongs to, whatever the method; None if it leads nowhere."""
    return _FIXED.get(path) or next((route for route in _OTHERS if path.startswith(route.fixed)), None)
