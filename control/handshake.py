"""Handshake: the opening of a WebSocket, RFC 6455 section 4.2, by `websockets`."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from control.headers import Header
from control.replies import CLOSE, Refusal
from control.routes import FEED_PATH
from control.tokens import SUBPROTOCOL

MESSAGE_BYTES_MAX: Final = 4096

UNFIT: Final = Refusal(
    HTTPStatus.BAD_REQUEST,
    "this is no opening handshake of a WebSocket, version 13",
    {"Sec-WebSocket-Version": "13", **CLOSE},
)

# The library tells of every connection; who subscribes is of no interest to a log.
_quiet = logging.getLogger(__name__)
_quiet.setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Handshake:
    """One that was found good."""

    protocol: ServerProtocol
    response: Response
    """What `protocol` is to send first."""
    more: bytes
    """What the client sent behind its handshake."""


def shake_hands(headers: list[Header], more: bytes) -> Handshake | Refusal:
    """Judge the headers of a handshake that was sent to the feed by GET."""
    protocol = ServerProtocol(select_subprotocol=_select, max_size=MESSAGE_BYTES_MAX, logger=_quiet)
    lines = [b"GET %b HTTP/1.1" % FEED_PATH.encode(), *(b"%b: %b" % header for header in headers), b"", b""]
    protocol.receive_data(b"\r\n".join(lines))
    for event in protocol.events_received():
        if isinstance(event, Request):
            response = protocol.accept(event)
            if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
                return Handshake(protocol, response, more)
    return UNFIT


def _select(_: ServerProtocol, offers: Sequence[Subprotocol]) -> Subprotocol | None:
    # A program need not offer any.
    return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offers else None
