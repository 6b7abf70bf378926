"""HTTP replies: declared values as JSON, and errors in one form, `{"error": ...}`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec
from starlette.responses import Response

encode_json = msgspec.json.Encoder().encode

CLOSE: Mapping[str, str] = {"Connection": "close"}
"""For an answer to a request whose body will not be read."""


class ErrorBody(msgspec.Struct, frozen=True):
    """Body of every error. `error` is for people; programs read the status."""

    error: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not served."""

    status: HTTPStatus
    error: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """As JSON."""
        return encode_json(ErrorBody(self.error))

    def reply(self) -> Response:
        """As a reply."""
        return Response(self.body, self.status, self.headers, media_type="application/json")


class Refused(Exception):
    """An endpoint does not serve a request."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.error)
        self.refusal = refusal


def json_reply(body: msgspec.Struct, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Reply with a declared value."""
    return Response(encode_json(body), status, media_type="application/json")
