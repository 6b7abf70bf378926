"""The operations that a producer may ask for, found in this folder: a module that declares an `Operation` adds one."""

import importlib
import pkgutil
from types import GenericAlias
from typing import Final, Union

import msgspec

from stages.operation import Operation


def _discover() -> dict[str, type[Operation]]:
    for module in pkgutil.iter_modules(__path__, __name__ + "."):
        importlib.import_module(module.name)
    found = {str(kind.__struct_config__.tag): kind for kind in Operation.__subclasses__()}
    return dict(sorted(found.items()))


OPERATIONS: Final = _discover()
"""By the name in requests."""

UNION: Final[object] = Union[tuple(OPERATIONS.values())]  # noqa: UP007  # the members are not known to the source text
"""All of them as one type, for msgspec; a type checker knows them as `Operation`."""

_DECODER: Final[msgspec.msgpack.Decoder[tuple[Operation, ...]]] = msgspec.msgpack.Decoder(
    GenericAlias(tuple, (UNION, ...))
)


def encode_operations(operations: tuple[Operation, ...]) -> bytes:
    """As they travel to a worker."""
    return msgspec.msgpack.encode(operations)


def decode_operations(encoded: bytes) -> tuple[Operation, ...]:
    """The reverse. msgspec.ValidationError where they are not what `encode_operations` makes."""
    return _DECODER.decode(encoded)
