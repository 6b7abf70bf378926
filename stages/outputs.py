"""What a request wants made of a frame: operations, and an encoding for the result."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from ipc.errors import ErrorCode, FrameError
from stages import operations as known
from stages.colors import BLACK, Color
from stages.declaration import bad_request, read
from stages.limits import Limits
from stages.operation import Operation


class Encoding(msgspec.Struct, frozen=True, tag_field="format", forbid_unknown_fields=True):
    """A format and its options. A subclass has a `tag`, the format's name in requests."""

    not_yet: ClassVar[tuple[str, ...]] = ()
    """Options of the protocol that belong to the format and are not implemented."""

    @property
    def format(self) -> str:
        """Name in requests and replies."""
        return str(self.__struct_config__.tag)


class JpegEncoding(Encoding, frozen=True, tag="jpeg"):
    """Baseline JPEG. Alpha is laid on `background`."""

    not_yet: ClassVar[tuple[str, ...]] = ("progressive", "max_bytes")

    quality: Annotated[int, Meta(ge=1, le=100)] = 80
    subsampling: Literal["420", "422", "444"] = "420"
    background: Color = BLACK


class RawEncoding(Encoding, frozen=True, tag="raw"):
    """Pixels as they are: GRAY, RGB or RGBA, 8 bits, rows without padding."""


_ENCODINGS: Final[Mapping[str, type[Encoding]]] = {"jpeg": JpegEncoding, "raw": RawEncoding}
FORMATS: Final = tuple(_ENCODINGS)
"""Formats that can be asked for."""
_NOT_YET: Final = frozenset({"png", "webp", "avif"})
_OPTIONS: Final = frozenset(
    {"quality", "subsampling", "lossless", "compression", "effort", "background", "max_bytes", "progressive"}
)
"""Every option of the protocol, whatever its format."""


class Output(msgspec.Struct, frozen=True):
    """One picture to be made."""

    operations: tuple[Operation, ...]
    encoding: Encoding


_Entry = dict[str, msgspec.Raw]
_ENTRIES: Final = msgspec.msgpack.Decoder(Annotated[list[_Entry], Meta(min_length=1, max_length=8)])
_LIST: Final = msgspec.msgpack.Decoder(Annotated[list[msgspec.Raw], Meta(max_length=64)])
_WORD: Final = msgspec.msgpack.Decoder(str)
_OPERATION: Final[msgspec.msgpack.Decoder[Operation]] = msgspec.msgpack.Decoder(known.UNION)
_ENCODING: Final[msgspec.msgpack.Decoder[Any]] = msgspec.msgpack.Decoder(JpegEncoding | RawEncoding)


def parse_outputs(raw: bytes, limits: Limits) -> tuple[Output, ...]:
    """Read a request's `outputs`, 1 to 8 of them, from MessagePack.

    FrameError BAD_REQUEST, TOO_LARGE or UNSUPPORTED_FORMAT; the message begins with the key.
    """
    entries = read(raw, _ENTRIES, "outputs")
    return tuple(_parse_output(entry, f"outputs[{index}]", limits) for index, entry in enumerate(entries))


def encode_encoding(encoding: Encoding) -> bytes:
    """As it travels to a worker."""
    return msgspec.msgpack.encode(encoding)


def decode_encoding(encoded: bytes) -> Encoding:
    """The reverse."""
    encoding: Encoding = _ENCODING.decode(encoded)
    return encoding


def _parse_output(entry: _Entry, path: str, limits: Limits) -> Output:
    listed = entry.pop("operations", None)
    operations = read(listed, _LIST, f"{path}.operations") if listed is not None else []
    return Output(
        tuple(_parse_operation(one, f"{path}.operations[{at}]", limits) for at, one in enumerate(operations)),
        _parse_encoding(entry, path),
    )


def _parse_operation(raw: msgspec.Raw, path: str, limits: Limits) -> Operation:
    """One operation; its sides are held against `max_side` here, where the key can be named."""
    operation = read(raw, _OPERATION, path, known.OPERATIONS.values())
    for side in operation.sides:
        asked = getattr(operation, side)
        if asked is not None and asked > limits.max_side:
            raise FrameError(ErrorCode.TOO_LARGE, f"{path}.{side}: {asked} is over max_side {limits.max_side}")
    return operation


def _parse_encoding(entry: _Entry, path: str) -> Encoding:
    name = read(entry["format"], _WORD, f"{path}.format") if "format" in entry else "jpeg"
    kind = _ENCODINGS.get(name)
    available = ", ".join(_ENCODINGS)
    if kind is None and name in _NOT_YET:
        raise FrameError(
            ErrorCode.UNSUPPORTED_FORMAT, f"{path}.format: {name!r} is not available; available: {available}"
        )
    if kind is None:
        raise bad_request(f"{path}.format", f"there is no format {name[:64]!r}; available: {available}")
    for key in entry.keys() - set(kind.__struct_encode_fields__) - {"format"}:
        if key in kind.not_yet:
            raise bad_request(f"{path}.{key}", "is not supported by this version")
        if key in _OPTIONS:
            raise bad_request(f"{path}.{key}", f"does not belong to format {name}")
        raise bad_request(f"{path}.{key[:64]}", "there is no such key")
    entry["format"] = msgspec.Raw(msgspec.msgpack.encode(name))
    encoding: Encoding = read(msgspec.msgpack.encode(entry), _ENCODING, path, [kind])
    return encoding
