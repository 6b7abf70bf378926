"""The control plane's routes. Every one reads; none changes anything."""

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from control.collector import Collector
from control.guard import Guard
from control.health import Liveness, Status, assess, readiness
from control.metrics import measure
from control.replies import error_reply, json_reply
from control.services import list_services
from control.system import SystemSampler
from ipc.settings import Settings

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")

_Endpoint = Callable[[Request], Awaitable[Response]]


class ControlPlane:
    """The endpoints, over one collector."""

    def __init__(self, collector: Collector, sampler: SystemSampler, settings: Settings) -> None:
        self._collector = collector
        self._sampler = sampler
        self._settings = settings

    async def health(self, _: Request) -> Response:
        """Say what is wrong, if anything. 503 if it is unhealthy."""
        health = assess(self._collector.presence(time.monotonic()), self._settings)
        is_unhealthy = health.status is Status.UNHEALTHY
        return json_reply(health, HTTPStatus.SERVICE_UNAVAILABLE if is_unhealthy else HTTPStatus.OK)

    async def live(self, _: Request) -> Response:
        """Say that this process answers. Nothing more, as anybody may ask."""
        return json_reply(Liveness(Status.OK))

    async def ready(self, _: Request) -> Response:
        """Say whether frames are taken. 503 if they are not."""
        verdict = readiness(self._collector.presence(time.monotonic()), self._settings)
        return json_reply(verdict, HTTPStatus.OK if verdict.ready else HTTPStatus.SERVICE_UNAVAILABLE)

    async def metrics(self, _: Request) -> Response:
        """Show all figures."""
        now_s = time.monotonic()
        return json_reply(measure(self._collector, self._settings, self._sampler.figures, now_s))

    async def services(self, _: Request) -> Response:
        """List every service."""
        return json_reply(list_services(self._collector.presence(time.monotonic()), self._settings))


def make_app(collector: Collector, sampler: SystemSampler, settings: Settings) -> ASGIApp:
    """Build the application."""
    plane = ControlPlane(collector, sampler, settings)
    routes: dict[str, _Endpoint] = {
        "/health": plane.health,
        "/health/live": plane.live,
        "/health/ready": plane.ready,
        "/api/metrics": plane.metrics,
        "/api/services/health": plane.services,
    }
    app = Starlette(
        routes=[Route(path, endpoint, methods=["GET"]) for path, endpoint in routes.items()],
        exception_handlers={HTTPException: _refuse, Exception: _fail},
    )
    app.router.redirect_slashes = False
    return Guard(app, allowed_hosts=(*LOCAL_HOSTS, _as_host(settings.control.host)))


def _as_host(address: str) -> str:
    """An address as it stands in a Host header."""
    return f"[{address}]" if ":" in address else address


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return error_reply(HTTPStatus(error.status_code), error.detail, error.headers)


async def _fail(_: Request, __: Exception) -> Response:
    return error_reply(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; the log of the control plane tells more")
