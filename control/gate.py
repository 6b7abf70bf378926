"""Who may pass: whoever shows the token, and no more often than the rates allow."""

from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from control.rates import Rates, Traffic
from control.replies import CLOSE, Refusal
from control.routes import Declaration, find_route
from control.tokens import Token

TOKEN_NEEDED: Final = Refusal(HTTPStatus.UNAUTHORIZED, "a token is needed", {"WWW-Authenticate": "Bearer", **CLOSE})
CLOSED_WITHOUT_TOKEN: Final = Refusal(
    HTTPStatus.FORBIDDEN, "control.token_file: must be set, or nothing can be changed over HTTP", CLOSE
)


class Gate:
    """ASGI middleware, and judge of WebSocket handshakes. Without a token everybody may read, and nobody act."""

    def __init__(self, app: ASGIApp, token: Token | None, rates: Rates) -> None:
        self._app = app
        self._token = token
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        refusal = self.judge(scope)
        app = self._app if refusal is None else refusal.reply()
        await app(scope, receive, send)

    def judge(self, scope: Scope) -> Refusal | None:
        """Say why a request is not served; None if this is no reason. Counts it."""
        route = find_route(scope["path"])
        traffic = _traffic(route, scope["method"])
        address = scope["client"][0] if scope["client"] else ""
        refusal = None
        if self._token is None:
            if traffic is Traffic.ACT:
                refusal = CLOSED_WITHOUT_TOKEN
        elif not (route and route.is_open) and not self._token.is_shown_by(scope["headers"]):
            # The right token is looked for first: 32 characters are not guessed, and a limit that held for them too
            # would let anybody behind the same proxy lock the operators out.
            refusal, traffic = TOKEN_NEEDED, Traffic.DENIED
        wait_s = self._rates.retry_after_s(address, traffic)
        if wait_s:
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too many requests", {"Retry-After": str(wait_s), **CLOSE})
        return refusal


def _traffic(route: Declaration | None, method: str) -> Traffic:
    if route is None or (route.traffic is Traffic.ACT and method != route.method):
        # Nothing is done: it will be refused, later and in detail.
        return Traffic.READ
    return route.traffic
