"""HTTP replies: declared values as JSON, and errors in one form, `{"error": ...}`."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response

_encode = msgspec.json.Encoder().encode


class ErrorBody(msgspec.Struct, frozen=True):
    """Body of every error. `error` is for people; programs read the status."""

    error: str


def json_reply(
    body: msgspec.Struct, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """Reply with a declared value."""
    return Response(_encode(body), status, headers, media_type="application/json")


def error_reply(status: HTTPStatus, error: str, headers: Mapping[str, str] | None = None) -> Response:
    """Reply with an error."""
    return json_reply(ErrorBody(error), status, headers)
