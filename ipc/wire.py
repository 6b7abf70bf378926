"""Producers' protocol, version 1, as the broker reads and writes it. PROTOCOL.md is its description for users.

    request   [identity] ([empty]) [header] ([payload])       the empty part is a REQ's delimiter; `lent`: no payload
    reply     [identity] ([empty]) [header] ([picture] ...)

A header is one MessagePack map, here decoded straight into a checked type. What the checks refuse is looked at a second
time, slowly, so that the reply can name the key, and the request.
"""

import re
from typing import Annotated, Any, Final, Literal, NoReturn

import msgspec

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Geometry, Layout

PROTOCOL_VERSION: Final = 1
HEADER_BYTES_MAX: Final = 4096
PRIORITY_MAX: Final = 9
PRIORITY_DEFAULT: Final = 4
PAGE_MAX: Final = 9999
LENT_OFFSET_MAX: Final = 1 << 48
LENT_BYTES_MAX: Final = 1 << 40

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Side = Annotated[int, msgspec.Meta(ge=1)]


class _Map(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A MessagePack map with string keys; a key that does not exist is an error."""


class Input(_Map, frozen=True, kw_only=True):
    """What the payload is: `page` of an encoded picture, or raw 8-bit pixels, row-major, without padding.

    `decode_request` sees to it that all of `width`, `height`, `layout` are there for raw pixels, and none of them else.
    """

    format: Literal["raw"] | None = None
    width: Side | None = None
    height: Side | None = None
    layout: Layout | None = None
    page: Annotated[int, msgspec.Meta(ge=0, le=PAGE_MAX)] = 0

    @property
    def raw_geometry(self) -> Geometry | None:
        """Shape of raw pixels; None for an encoded picture."""
        if self.width is None or self.height is None or self.layout is None:
            return None
        return Geometry(self.width, self.height, self.layout)


class Lent(_Map, frozen=True, kw_only=True):
    """Where the picture lies, in place of a payload: a piece of a segment of POSIX shared memory of the producer's."""

    segment: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}\Z")]
    """Its name, as `multiprocessing.shared_memory` says it: no path, and no way out of the folder that it lies in."""
    offset: Annotated[int, msgspec.Meta(ge=0, le=LENT_OFFSET_MAX)] = 0
    bytes: Annotated[int, msgspec.Meta(ge=1, le=LENT_BYTES_MAX)]


class Request(_Map, frozen=True, kw_only=True):
    """A request's header."""

    v: Literal[1]
    op: Literal["process", "ping", "info", "cancel"] = "process"
    id: Name | None = None
    client: Name | None = None
    stream: Name | None = None
    preset: Name | None = None
    outputs: msgspec.Raw = msgspec.Raw()
    """Left unread here: `stages.outputs` knows what may stand in it."""
    input: Input | None = None
    priority: Annotated[int, msgspec.Meta(ge=0, le=PRIORITY_MAX)] = PRIORITY_DEFAULT
    deadline_ms: Annotated[int, msgspec.Meta(ge=1, le=600_000)] | None = None
    on_full: Literal["reject", "drop_oldest", "latest"] = "reject"
    lent: Lent | None = None


class InputFigures(_Map, frozen=True, kw_only=True):
    """What came in, as the file says it, before any turning."""

    format: str
    width: int
    height: int
    bytes: int


class OutputFigures(_Map, frozen=True, kw_only=True, omit_defaults=True):
    """One finished picture."""

    format: str
    width: int
    height: int
    bytes: int
    quality: int | None
    channels: int | msgspec.UnsetType = msgspec.UNSET
    layout: str | msgspec.UnsetType = msgspec.UNSET


class Timing(_Map, frozen=True, kw_only=True):
    """Microseconds: waiting, in each stage (summed over outputs), and from arrival to reply."""

    queue: int
    decode: int
    transform: int
    encode: int
    total: int


class OkReply(_Map, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The frame's pictures follow, one part each."""

    v: int = PROTOCOL_VERSION
    id: str
    input: InputFigures
    outputs: list[OutputFigures]
    timing_us: Timing
    attempts: int
    trace: str


class ErrorFigures(_Map, frozen=True, kw_only=True):
    """Why not."""

    code: ErrorCode
    message: str


class ErrorReply(_Map, frozen=True, kw_only=True, tag_field="status", tag="error"):
    """The frame was not processed."""

    v: int = PROTOCOL_VERSION
    id: str
    error: ErrorFigures
    retry_after_ms: int | msgspec.UnsetType = msgspec.UNSET


class PingReply(_Map, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The broker lives, and this is its life."""

    v: int = PROTOCOL_VERSION
    id: str
    epoch: str
    version: str


class InfoReply(_Map, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """What this daemon takes and makes."""

    v: int = PROTOCOL_VERSION
    id: str
    epoch: str
    version: str
    presets: list[str]
    limits: dict[str, int]
    formats: dict[str, list[str]]
    operations: list[str]


class RequestRefused(FrameError):
    """A request whose header could not be taken, with the id to answer under."""

    def __init__(self, code: ErrorCode, message: str, request_id: str) -> None:
        super().__init__(code, message)
        self.request_id = request_id


_decoder = msgspec.msgpack.Decoder(Request)
_encoder = msgspec.msgpack.Encoder()


def decode_request(header: bytes | memoryview) -> Request:
    """Read a request's header. Raises `RequestRefused`, naming the key."""
    if len(header) > HEADER_BYTES_MAX:
        raise RequestRefused(
            ErrorCode.BAD_REQUEST, f"header: {len(header)} bytes, at most {HEADER_BYTES_MAX} are taken", ""
        )
    try:
        request = _decoder.decode(header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        _refuse(header, error)
    if request.op in {"process", "cancel"}:
        if request.id is None:
            raise RequestRefused(ErrorCode.BAD_REQUEST, f"id: required by {request.op}", "")
        if request.op == "process":
            _check_subject(request)
            _check_input(request)
    return request


def encode_reply(reply: OkReply | ErrorReply | PingReply | InfoReply) -> bytes:
    """Write a reply's header."""
    return _encoder.encode(reply)


def _check_subject(request: Request) -> None:
    has_outputs = len(memoryview(request.outputs)) > 0
    if has_outputs and request.preset is not None:
        raise RequestRefused(ErrorCode.BAD_REQUEST, "preset: excludes outputs; give one of the two", request.id or "")
    if not has_outputs and request.preset is None:
        raise RequestRefused(ErrorCode.BAD_REQUEST, "outputs: required where no preset is named", request.id or "")


def _check_input(request: Request) -> None:
    given = request.input
    if given is None:
        return
    shape = {"width": given.width, "height": given.height, "layout": given.layout}
    for key, value in shape.items():
        if given.format is None and value is not None:
            message = f"input.{key}: belongs to raw pixels; give input.format as well, or leave it out"
            raise RequestRefused(ErrorCode.BAD_REQUEST, message, request.id or "")
        if given.format is not None and value is None:
            raise RequestRefused(ErrorCode.BAD_REQUEST, f"input.{key}: required for raw pixels", request.id or "")
    if given.format is not None and given.page:
        raise RequestRefused(ErrorCode.BAD_REQUEST, "input.page: raw pixels have one page", request.id or "")


def _refuse(header: bytes | memoryview, error: Exception) -> NoReturn:
    """Find out what can be said about a header that is not a `Request`."""
    try:
        content: Any = msgspec.msgpack.decode(header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RequestRefused(ErrorCode.BAD_REQUEST, "header: not a MessagePack map", "") from error
    if not isinstance(content, dict):
        raise RequestRefused(ErrorCode.BAD_REQUEST, "header: not a MessagePack map", "") from error
    request_id = content.get("id")
    if not isinstance(request_id, str) or not 1 <= len(request_id) <= 64:
        request_id = ""
    version = content.get("v")
    if isinstance(version, int) and not isinstance(version, bool) and version != PROTOCOL_VERSION:
        message = f"v: {version} is not spoken here, {PROTOCOL_VERSION} is"
        raise RequestRefused(ErrorCode.UNSUPPORTED_VERSION, message, request_id) from error
    raise RequestRefused(ErrorCode.BAD_REQUEST, readable(str(error), ""), request_id) from error


_PATH = re.compile(r" - at `(?:key in )?\$(.*)`$")
_UNKNOWN = re.compile(r"^Object contains unknown field `(.*)`$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(.*)`$")


def readable(complaint: str, prefix: str) -> str:
    """Turn msgspec's complaint into `key: what is wrong`, the key as its sender wrote it, below `prefix`."""
    path = ""
    at = _PATH.search(complaint)
    if at is not None:
        path, complaint = at.group(1), complaint[: at.start()]
    path = (prefix + path).lstrip(".")
    if (unknown := _UNKNOWN.match(complaint)) is not None:
        return f"{_join(path, unknown.group(1)[:64])}: no such key"
    if (missing := _MISSING.match(complaint)) is not None:
        return f"{_join(path, missing.group(1))}: required"
    complaint = complaint.replace("`", "")
    return f"{path or 'header'}: {complaint[0].lower()}{complaint[1:]}"


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
