"""The OpenAPI document: made of the route table and of the declared bodies, so that it cannot say anything else."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from control.rates import Traffic
from control.replies import ErrorBody
from control.routes import OK, ROUTES, Body, Declaration

VERSION: Final = "3.1.0"
REFERENCE: Final = "#/components/schemas/{name}"
SECURITY: Final = "token"

_RETRY_AFTER: Final = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}}
_JSON: Final = "application/json"

Json = dict[str, Any]
"""A part of the document: its shape is the standard's, not ours."""


def describe(version: str, has_token: bool) -> bytes:
    """Write the document of a control plane that asks for a token, or does not."""
    types = [body for route in ROUTES for body in (*route.answers.values(), route.takes) if _is_declared(body)]
    schemas, components = msgspec.json.schema_components([*types, ErrorBody], ref_template=REFERENCE)
    references = dict(zip([*types, ErrorBody], schemas, strict=True))
    paths: Json = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, references, has_token)
    document: Json = {
        "openapi": VERSION,
        "info": {
            "title": "omnishotd control plane",
            "version": version,
            "description": "What the daemon does, and how it is. The feed, a WebSocket at /ws, sends the same bodies.",
        },
        "paths": paths,
        "components": {"schemas": components},
    }
    if has_token:
        document["components"]["securitySchemes"] = {SECURITY: {"type": "http", "scheme": "bearer"}}
    return msgspec.json.encode(document)


def _is_declared(body: object) -> bool:
    return isinstance(body, type)


def _operation(route: Declaration, references: Mapping[Any, Json], has_token: bool) -> Json:
    error = {_JSON: {"schema": references[ErrorBody]}}
    refusals = dict.fromkeys(_refusals(route, has_token), error)
    answers = {status: _content(body, references) for status, body in route.answers.items()}
    operation: Json = {
        "operationId": route.operation,
        "summary": route.summary,
        "responses": {
            str(status.value): _response(status, content) for status, content in sorted((refusals | answers).items())
        },
    }
    if route.parameters:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": schema}
            for name, schema in route.parameters.items()
        ]
    if route.takes:
        operation["requestBody"] = {"required": False, "content": {_JSON: {"schema": references[route.takes]}}}
    if has_token and not route.is_open:
        operation["security"] = [{SECURITY: []}]
    return operation


def _refusals(route: Declaration, has_token: bool) -> Iterable[HTTPStatus]:
    # Host, target or headers that are not in order; an origin that may not ask.
    yield HTTPStatus.BAD_REQUEST
    yield HTTPStatus.FORBIDDEN
    if has_token and not route.is_open:
        yield HTTPStatus.UNAUTHORIZED
    if route.traffic is not Traffic.HEALTH or (has_token and not route.is_open):
        yield HTTPStatus.TOO_MANY_REQUESTS
    yield from route.refusals


def _content(body: Body, references: Mapping[Any, Json]) -> Json | None:
    if body is None:
        return None
    return {body: {}} if isinstance(body, str) else {_JSON: {"schema": references[body]}}


def _response(status: HTTPStatus, content: Json | None) -> Json:
    response: Json = {"description": status.phrase}
    if content is not None:
        response["content"] = content
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        response["headers"] = _RETRY_AFTER
    if status is OK and content is not None:
        response["description"] = "As asked."
    return response
