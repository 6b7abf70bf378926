"""What a request wants made of a frame: operations, and an encoding for the result."""

from collections.abc import Collection, Iterator
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from ipc.errors import ErrorCode, FrameError
from stages import operations as known
from stages.declaration import bad_request, read
from stages.encodings import DECODER, ENCODINGS, OPTIONS, Encoding
from stages.limits import Limits
from stages.operation import Operation

OUTPUTS_MAX: Final = 8
OPERATIONS_MAX: Final = 64
FORMAT_DEFAULT: Final = "jpeg"


class Output(msgspec.Struct, frozen=True):
    """One picture to be made."""

    operations: tuple[Operation, ...]
    encoding: Encoding


_Entry = dict[str, msgspec.Raw]
_ENTRIES: Final = msgspec.msgpack.Decoder(Annotated[list[_Entry], Meta(min_length=1, max_length=OUTPUTS_MAX)])
_LIST: Final = msgspec.msgpack.Decoder(Annotated[list[msgspec.Raw], Meta(max_length=OPERATIONS_MAX)])
_WORD: Final = msgspec.msgpack.Decoder(str)
_OPERATION: Final[msgspec.msgpack.Decoder[Operation]] = msgspec.msgpack.Decoder(known.UNION)


def parse_outputs(raw: bytes, limits: Limits, overlays: Collection[str] = ()) -> tuple[Output, ...]:
    """Read a request's `outputs`, 1 to 8 of them, from MessagePack. `overlays`: names that they may name.

    FrameError BAD_REQUEST, TOO_LARGE or UNSUPPORTED_FORMAT; the message begins with the key.
    """
    entries = read(raw, _ENTRIES, "outputs")
    return tuple(_parse_output(entry, f"outputs[{index}]", limits, overlays) for index, entry in enumerate(entries))


def faults(raw: bytes, limits: Limits, overlays: Collection[str] = ()) -> Iterator[FrameError]:
    """Yield all for which `parse_outputs` would refuse, in their order: at most one for each operation."""
    try:
        entries = read(raw, _ENTRIES, "outputs")
    except FrameError as error:
        yield error
        return
    for index, entry in enumerate(entries):
        path = f"outputs[{index}]"
        yield from _faults_of_operations(entry, path, limits, overlays)
        try:
            _parse_encoding(entry, path)
        except FrameError as error:
            yield error


def _faults_of_operations(entry: _Entry, path: str, limits: Limits, overlays: Collection[str]) -> Iterator[FrameError]:
    try:
        operations = _listed(entry, path)
    except FrameError as error:
        yield error
        return
    for at, one in enumerate(operations):
        try:
            _parse_operation(one, f"{path}.operations[{at}]", limits, overlays)
        except FrameError as error:
            yield error


def _parse_output(entry: _Entry, path: str, limits: Limits, overlays: Collection[str]) -> Output:
    operations = _listed(entry, path)
    return Output(
        tuple(_parse_operation(one, f"{path}.operations[{at}]", limits, overlays) for at, one in enumerate(operations)),
        _parse_encoding(entry, path),
    )


def _listed(entry: _Entry, path: str) -> list[msgspec.Raw]:
    """Take the operations out of an entry; what is left are options of the format."""
    listed = entry.pop("operations", None)
    return read(listed, _LIST, f"{path}.operations") if listed is not None else []


def _parse_operation(raw: msgspec.Raw, path: str, limits: Limits, overlays: Collection[str]) -> Operation:
    """One operation; its sides are held against `max_side` here, where the key can be named."""
    operation = read(raw, _OPERATION, path, known.OPERATIONS.values())
    for side in operation.sides:
        asked = getattr(operation, side)
        if asked is not None and asked > limits.max_side:
            raise FrameError(ErrorCode.TOO_LARGE, f"{path}.{side}: {asked} is over max_side {limits.max_side}")
    for name in operation.overlays:
        if name not in overlays:
            known_names = ", ".join(overlays) or "none"
            raise bad_request(f"{path}.overlay", f"there is no overlay {name[:64]!r}; known: {known_names}")
    return operation


def _parse_encoding(entry: _Entry, path: str) -> Encoding:
    name = read(entry["format"], _WORD, f"{path}.format") if "format" in entry else FORMAT_DEFAULT
    kind = ENCODINGS.get(name)
    available = ", ".join(ENCODINGS)
    if kind is None:
        raise bad_request(f"{path}.format", f"there is no format {name[:64]!r}; available: {available}")
    for key in entry.keys() - set(kind.__struct_encode_fields__) - {"format"}:
        if key in OPTIONS:
            raise bad_request(f"{path}.{key}", f"does not belong to format {name}")
        raise bad_request(f"{path}.{key[:64]}", "there is no such key")
    entry["format"] = msgspec.Raw(msgspec.msgpack.encode(name))
    encoding: Encoding = read(msgspec.msgpack.encode(entry), DECODER, path, [kind])
    return encoding
