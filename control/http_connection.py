"""One HTTP connection: uvicorn's, with limits of its own, errors in our one form, and the way to the feed.

uvicorn's timer runs between requests, and the first byte of the next one stops it: a client that sends one byte a
minute, of a request or of a body nobody asked for, would hold its place for good. Nor does uvicorn ever give up a
client that does not read its answer.
"""

import asyncio
import sys
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from control.app import ControlPlane
from control.feed_connection import FeedConnection
from control.handshake import Handshake, shake_hands
from control.headers import Header, with_security
from control.patience import Patience
from control.places import Places
from control.recall import Recall
from control.replies import CLOSE, Refusal
from control.routes import FEED_PATH

REQUEST_TIMEOUT_S: Final = 5.0
"""From the first byte of a request to its last, and from the connection to that first byte."""
IDLE_TIMEOUT_S: Final = 20.0
"""From an answer to the next request: longer than the intervals at which programs commonly ask."""
SEND_BUFFER_BYTES: Final = 256 * 1024
FAREWELLS_MAX: Final = 32
"""Connections of the feed that are told that all places are taken: whoever comes then is refused before the upgrade."""

UNREADABLE: Final = Refusal(HTTPStatus.BAD_REQUEST, "this is no HTTP request that can be read", CLOSE)
TOO_LARGE: Final = Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's head is too large", CLOSE)
TOO_LATE: Final = Refusal(
    HTTPStatus.REQUEST_TIMEOUT, f"the request did not arrive within {REQUEST_TIMEOUT_S:g} s", CLOSE
)
NO_PLACE: Final = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "too many connections, try again later", {"Retry-After": "1", **CLOSE}
)


@dataclass(frozen=True, slots=True)
class Shared:
    """What the connections of one server share."""

    plane: ControlPlane
    places: "Places[HttpConnection]"
    feeds: set[FeedConnection]


class HttpConnection(H11Protocol):
    """HTTP/1.1 until it ends, or becomes a feed."""

    def __init__(
        self,
        shared: Shared,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._shared = shared
        self._is_receiving = False
        self._timer: asyncio.TimerHandle | None = None
        self._recall = Recall(shared.plane.snapshots)
        self._patience: Patience

    # ---- what asyncio and uvicorn call

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Take a place."""
        super().connection_made(transport)
        self._patience = Patience(transport, SEND_BUFFER_BYTES, transport.abort)
        if self._shared.places.take(self):
            self._wait(REQUEST_TIMEOUT_S)
        else:
            self._refuse(NO_PLACE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        is_new = not self._is_receiving
        if is_new:
            if not self._patience.is_tried and self._answer_again(data):
                return
            self._is_receiving = True
            self._wait(REQUEST_TIMEOUT_S)
        super().data_received(data)
        # The application has not had its turn yet: what was read is still that one request, if it is one.
        if is_new and self.conn.their_state is h11.DONE and not self.conn.trailing_data[0]:
            self._recall.learn(data, dict(self.scope))

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._shared.places.renew(self)
        super().on_response_complete()
        # Not so where the next request has come already, or a part of it.
        self._is_receiving = not self._is_between_requests
        self._wait(REQUEST_TIMEOUT_S if self._is_receiving else IDLE_TIMEOUT_S)

    def pause_writing(self) -> None:
        """Watch whether the client reads."""
        super().pause_writing()
        self._patience.begin()

    def resume_writing(self) -> None:
        """It does."""
        super().resume_writing()
        self._patience.end()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are not ours
        """Refuse what is no HTTP; called while that is being handled."""
        error = sys.exception()
        is_too_large = isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == TOO_LARGE.status
        self._refuse(TOO_LARGE if is_too_large else UNREADABLE)

    def shutdown(self) -> None:
        """End, when what is being answered has been; whoever does not read is not waited for."""
        super().shutdown()
        if self._patience.is_tried:
            self.transport.abort()

    # ---- the same request again

    def _answer_again(self, data: bytes) -> bool:
        """Answer a request that is the same as the one before. False if it is not."""
        scope = self._recall.find(data)
        if scope is None or not self._is_between_requests or self.transport.is_closing():
            return False
        refusal = self._shared.plane.judge(scope)
        if refusal is not None:
            self._refuse(refusal)
            return True
        self._unset_keepalive_if_required()
        self.server_state.total_requests += 1
        self.transport.write(self._recall.answer(scope, self.server_state.default_headers))
        self._wait(IDLE_TIMEOUT_S)
        self._shared.places.renew(self)
        return True

    # ---- what the places call

    @property
    def is_busy(self) -> bool:
        """Whether a request has arrived in full, and is being answered to a client that reads."""
        return self._has_arrived and not self._patience.is_tried

    def make_room(self) -> None:
        """Go, at once."""
        self.transport.abort()

    # ---- the feed

    def _should_upgrade(self) -> bool:
        # Elsewhere an upgrade is an offer, and ignored (RFC 9110, section 7.8).
        is_feed = self.scope["path"] == FEED_PATH and self.scope["method"] == "GET"
        return is_feed and self._get_upgrade() == b"websocket"

    def handle_websocket_upgrade(self, event: h11.Request) -> None:  # noqa: ARG002 - its headers are kept
        """Hand the connection over to the feed, if the request may pass."""
        shared = self._shared
        answer: Refusal | Handshake | None = shared.plane.judge(dict(self.scope))
        if answer is None and len(shared.feeds) >= shared.plane.feed.subscribers_max + FAREWELLS_MAX:
            answer = NO_PLACE
        answer = answer or shake_hands(self.headers, self.conn.trailing_data[0])
        if isinstance(answer, Handshake):
            self._leave()
            self.connections.discard(self)
            connection = FeedConnection(answer, shared.plane.feed, shared.feeds)
            self.transport.set_protocol(connection)
            connection.connection_made(self.transport)
        else:
            self._refuse(answer)

    # ---- the end

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _has_arrived(self) -> bool:
        return self._is_answering and not self.cycle.more_body

    @property
    def _is_between_requests(self) -> bool:
        """Whether all that came has been answered, so that what comes next begins a request."""
        return not self._is_answering and self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if self._has_arrived:
            return
        if self._is_receiving:
            self._refuse(TOO_LATE)
        else:
            self.transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer in place of the application, and close."""
        is_head = self._is_answering and self.scope["method"] == "HEAD"
        if self._is_answering:
            # It must not answer as well.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            own: list[Header] = [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(refusal.body)),
                *((name.lower().encode(), value.encode()) for name, value in refusal.headers.items()),
            ]
            headers = [*self.server_state.default_headers, *with_security(own)]
            response = h11.Response(status_code=refusal.status, headers=headers, reason=refusal.status.phrase.encode())
            events = [response, *([] if is_head else [h11.Data(data=refusal.body)]), h11.EndOfMessage()]
            self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        self.transport.close()

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._patience.end()
        self._shared.places.leave(self)
