"""What every request passes first: is it well formed, meant for this host, and sent by a page that may ask?

Whoever else asks is refused before anything of ours looks at the request. Every answer leaves with security headers.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control.headers import Header, with_security
from control.hosts import Hosts, Origins
from control.replies import CLOSE, Refusal

CLOSE_HEADER: Final = (b"connection", b"close")
TARGET_BYTES_MAX: Final = 2048
HEADERS_BYTES_MAX: Final = 16 * 1024
HEADERS_MAX: Final = 64

INTERNAL_ERROR: Final = Refusal(
    HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; the log of the control plane tells more"
)
STOPPING: Final = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the control plane stops", CLOSE)

log = logging.getLogger(__name__)


class Guard:
    """ASGI middleware, and judge of WebSocket handshakes."""

    def __init__(self, app: ASGIApp, hosts: Hosts, origins: Origins) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        is_begun = False

        async def send_safely(message: Message) -> None:
            nonlocal is_begun
            if message["type"] == "http.response.start":
                is_begun = True
                message["headers"] = with_security(message["headers"])
                if _has_body(scope["headers"]) and CLOSE_HEADER not in message["headers"]:
                    # It may not have been read: what is left of it must not pass for the next request.
                    message["headers"].append(CLOSE_HEADER)
            await send(message)

        refusal = self.judge(scope)
        app = self._app if refusal is None else refusal.reply()
        try:
            await app(scope, receive, send_safely)
        except asyncio.CancelledError:
            # The process ends, and uvicorn has waited long enough. It would log a traceback of each that it cancels.
            if not is_begun:
                await STOPPING.reply()(scope, receive, send_safely)
        except Exception:
            # The edge: whatever went wrong, the client learns no more than that, and the log all of it.
            log.exception("a request could not be served")
            if not is_begun:
                await INTERNAL_ERROR.reply()(scope, receive, send_safely)

    def judge(self, scope: Scope) -> Refusal | None:
        """Say why a request is not served; None if this is no reason."""
        headers: list[Header] = scope["headers"]
        return _target_fault(scope) or _size_fault(headers) or self._address_fault(headers) or _framing_fault(headers)

    def _address_fault(self, headers: list[Header]) -> Refusal | None:
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not self._hosts.are_meant(hosts[0]):
            return Refusal(HTTPStatus.BAD_REQUEST, "host: this name is not one of control.allowed_hosts", CLOSE)
        origins = [value for name, value in headers if name == b"origin"]
        if len(origins) > 1 or not all(self._origins.may_ask(origin, hosts[0]) for origin in origins):
            return Refusal(HTTPStatus.FORBIDDEN, "origin: pages of other hosts may not ask", CLOSE)
        return None


def _target_fault(scope: Scope) -> Refusal | None:
    if not scope["raw_path"].startswith(b"/"):
        return Refusal(HTTPStatus.BAD_REQUEST, "target: must be a path, as /health", CLOSE)
    target_bytes = len(scope["raw_path"]) + len(scope["query_string"])
    if target_bytes > TARGET_BYTES_MAX:
        error = f"target: {target_bytes} bytes, at most {TARGET_BYTES_MAX} are taken"
        return Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, error, CLOSE)
    return None


def _size_fault(headers: list[Header]) -> Refusal | None:
    headers_bytes = sum(len(name) + len(value) for name, value in headers)
    if len(headers) <= HEADERS_MAX and headers_bytes <= HEADERS_BYTES_MAX:
        return None
    error = (
        f"headers: {len(headers)} of {headers_bytes} bytes, "
        f"at most {HEADERS_MAX} of {HEADERS_BYTES_MAX} bytes are taken"
    )
    return Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, error, CLOSE)


def _framing_fault(headers: list[Header]) -> Refusal | None:
    if _names(headers) >= {b"content-length", b"transfer-encoding"}:
        # RFC 9112, 6.3: somebody may have tried to smuggle a second request past whoever read the other header.
        error = "content-length and transfer-encoding: only one of them may be given"
        return Refusal(HTTPStatus.BAD_REQUEST, error, CLOSE)
    return None


def _has_body(headers: list[Header]) -> bool:
    return not _names(headers).isdisjoint({b"content-length", b"transfer-encoding"})


def _names(headers: list[Header]) -> set[bytes]:
    return {name for name, _ in headers}
