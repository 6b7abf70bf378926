"""The control plane's HTTP: endpoints over what the observer shows, behind guard and gate."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, get_args

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from control.assets import asset
from control.examination import Action, ExaminationFailed, Examinations
from control.exposition import Exposition
from control.feed import SUBSCRIBERS_MAX, Feed
from control.gate import Gate
from control.guard import INTERNAL_ERROR, Guard
from control.headers import PAGE_POLICY
from control.hosts import LOCAL_HOSTS, Hosts, Origins, as_host
from control.observer import Observer
from control.openapi import describe
from control.orders import ORDER_BYTES_MAX, outcome_of, read_order
from control.rates import Rates
from control.replies import CLOSE, Refusal, Refused, json_reply
from control.routes import OPENAPI, ROUTES, Declaration
from control.snapshots import Snapshots
from control.tokens import Token
from ipc.settings import Settings
from omnishotd import __version__

_Endpoint = Callable[[Request], Awaitable[Response]]

PREFLIGHT_KEPT_S: Final = 600


class Endpoints:
    """One method for each of `control.routes.ROUTES`."""

    def __init__(self, observer: Observer, snapshots: Snapshots, examinations: Examinations, has_token: bool) -> None:
        self._observer = observer
        self._snapshots = snapshots
        self._examinations = examinations
        self._exposition = Exposition(observer)
        self._has_token = has_token
        self._document: bytes | None = None

    async def health(self, request: Request) -> Response:
        """503 if it is unhealthy."""
        return self._snapshot(request)

    async def live(self, request: Request) -> Response:
        """Nothing more, as anybody may ask."""
        return self._snapshot(request)

    async def ready(self, request: Request) -> Response:
        """503 if it is not."""
        return self._snapshot(request)

    async def metrics(self, request: Request) -> Response:
        """All figures."""
        return self._snapshot(request)

    async def services(self, request: Request) -> Response:
        """All processes."""
        return self._snapshot(request)

    async def memory(self, request: Request) -> Response:
        """All memory."""
        return self._snapshot(request)

    def _snapshot(self, request: Request) -> Response:
        snapshot = self._snapshots.take(request.scope["path"])
        return Response(snapshot.body, snapshot.status, media_type="application/json")

    async def examine(self, request: Request) -> Response:
        """Have it done, and wait for what came of it."""
        order = read_order(await _read_body(request))
        service, action = request.path_params["service"], request.path_params["action"]
        if action not in get_args(Action):
            raise Refused(Refusal(HTTPStatus.NOT_FOUND, f"action: must be one of {', '.join(get_args(Action))}"))
        if service not in {known.name for known in self._observer.services().services}:
            raise Refused(Refusal(HTTPStatus.NOT_FOUND, "service: there is none of this name"))
        try:
            answer = await self._examinations.ask(service, action, order.seconds)
        except ExaminationFailed as error:
            raise Refused(Refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": "10"})) from None
        if action != "snapshot":
            self._observer.examined(service)
        return json_reply(outcome_of(answer))

    async def exposition(self, request: Request) -> Response:
        """As text or OpenMetrics."""
        scrape = await self._exposition.answer(request.headers.get("accept", ""))
        return Response(scrape.body, headers={"Content-Type": scrape.content_type, "Vary": "Accept"})

    async def openapi(self, _: Request) -> Response:
        """Made when it is first asked for."""
        if self._document is None:
            self._document = describe(__version__, self._has_token)
        return Response(self._document, media_type=OPENAPI)

    async def feed(self, _: Request) -> Response:
        """A handshake never comes here."""
        error = "this is the feed, a WebSocket: ask for the upgrade"
        raise Refused(Refusal(HTTPStatus.UPGRADE_REQUIRED, error, {"Upgrade": "websocket", "Connection": "Upgrade"}))

    async def page(self, request: Request) -> Response:
        """The page itself."""
        return _asset_reply(request)

    async def asset(self, request: Request) -> Response:
        """A part of it."""
        return _asset_reply(request)


class ControlPlane:
    """The application, and what connections need of it before it is asked."""

    def __init__(self, app: Starlette, feed: Feed, snapshots: Snapshots, settings: Settings, token: str | None) -> None:
        control = settings.control
        self.feed = feed
        self.snapshots = snapshots
        rates = Rates(control.rate_limit_per_minute, SUBSCRIBERS_MAX)
        self._gate = Gate(app, Token(token) if token is not None else None, rates)
        hosts = Hosts((*LOCAL_HOSTS, *control.allowed_hosts, as_host(control.host)))
        self._guard = Guard(_with_cors(self._gate, control.cors_origins), hosts, Origins(control.cors_origins))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._guard(scope, receive, send)

    def judge(self, scope: Scope) -> Refusal | None:
        """Say why a request that is not the application's to answer is refused; None if it is not. Counts it."""
        return self._guard.judge(scope) or self._gate.judge(scope)


def make_app(
    observer: Observer, feed: Feed, examinations: Examinations, settings: Settings, token: str | None
) -> ControlPlane:
    """Build the application. Without a token everybody may read, and nobody change anything."""
    snapshots = Snapshots(observer)
    endpoints = Endpoints(observer, snapshots, examinations, has_token=token is not None)
    app = Starlette(
        routes=[_route(declaration, getattr(endpoints, declaration.operation)) for declaration in ROUTES],
        exception_handlers={HTTPException: _refuse, Refused: _refuse, ClientDisconnect: _part, Exception: _fail},
    )
    app.router.redirect_slashes = False
    return ControlPlane(app, feed, snapshots, settings, token)


def _route(declaration: Declaration, endpoint: _Endpoint) -> Route:
    return Route(declaration.path, endpoint, methods=[declaration.method])


def _with_cors(app: ASGIApp, origins: list[str]) -> ASGIApp:
    if not origins:
        return app
    # Before the gate: a browser asks for permission without the token. Never with credentials: there are no cookies.
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["Retry-After"],
        max_age=PREFLIGHT_KEPT_S,
    )


async def _read_body(request: Request) -> bytes:
    """Read a body of JSON; none at all says as much as `{}`. Raises `Refused`."""
    if request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers:
        return b"{}"
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        error = "content-type: must be application/json"
        raise Refused(Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, error, CLOSE))
    body = b""
    # No time limit here: the connection has one for the whole of a request.
    async for part in request.stream():
        body += part
        if len(body) > ORDER_BYTES_MAX:
            error = f"body: more than {ORDER_BYTES_MAX} bytes"
            raise Refused(Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error, CLOSE))
    return body


def _asset_reply(request: Request) -> Response:
    found = asset(request.scope["path"])
    if found is None:
        raise Refused(Refusal(HTTPStatus.NOT_FOUND, "this is no part of the page"))
    # Kept by the browser, but asked for each time: after an update the old page must not talk to the new daemon.
    headers = {"Cache-Control": "no-cache", "ETag": found.etag, "Content-Security-Policy": PAGE_POLICY}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if known & {found.etag, "*"}:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(found.body, headers=headers, media_type=found.media_type)


async def _refuse(_: Request, error: Exception) -> Response:
    match error:
        case Refused():
            return error.refusal.reply()
        case HTTPException():
            return Refusal(HTTPStatus(error.status_code), error.detail, error.headers or {}).reply()
    raise error


async def _part(_: Request, __: Exception) -> Response:
    # Nobody will read it: the client is gone, or its connection has refused it already.
    return Response(status_code=HTTPStatus.BAD_REQUEST)


async def _fail(_: Request, __: Exception) -> Response:
    return INTERNAL_ERROR.reply()
