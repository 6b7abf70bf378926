"""What every request passes first: is it meant for this host? And what every response carries.

A page on another site can make a browser send requests to 127.0.0.1, and by DNS rebinding even read the answers; its
Host header gives it away. Not starlette's TrustedHostMiddleware: in the oldest release we accept it takes every IPv6
address for `[`, and it answers in plain text.
"""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control.replies import error_reply

_HOST: Final = re.compile(rb"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?")
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)


class Guard:
    """ASGI middleware: refuses a Host that is not allowed, adds headers that a response has not set itself."""

    def __init__(self, app: ASGIApp, allowed_hosts: Iterable[str]) -> None:
        self._app = app
        self._allowed_hosts = frozenset(host.lower().encode() for host in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in _HEADERS if pair[0] not in present)]
            await send(message)

        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) == 1 and self._is_allowed(hosts[0]):
            await self._app(scope, receive, send_with_headers)
        else:
            refusal = error_reply(HTTPStatus.BAD_REQUEST, "host: this name is not one of this host's own")
            await refusal(scope, receive, send_with_headers)

    def _is_allowed(self, host: bytes) -> bool:
        parts = _HOST.fullmatch(host.lower())
        return parts is not None and parts[1] in self._allowed_hosts
