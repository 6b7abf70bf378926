"""Parameters of outputs and operations: their types, and the map as which they travel."""

from dataclasses import Field, field, fields
from typing import Any, Final, Literal, TypeAlias

Color: TypeAlias = tuple[int, int, int] | tuple[int, int, int, int]
"""Red, green, blue and perhaps alpha, each 0 to 255."""

Place: TypeAlias = Literal[
    "centre", "top", "right top", "right", "right bottom", "bottom", "left bottom", "left", "left top"
]
"""A place in the picture."""

_WIRE_NAME: Final = "wire_name"


def named(wire_name: str) -> Any:
    """Declare a parameter that may be left out and whose name on the wire is a word that Python keeps for itself."""
    return field(default=None, metadata={_WIRE_NAME: wire_name})


def wire_name(parameter: Field[Any]) -> str:
    """Return the name that travels."""
    return str(parameter.metadata.get(_WIRE_NAME, parameter.name))


def given(declared: Any) -> dict[str, Any]:
    """Return those fields of a dataclass that are not None, by the names that travel."""
    values = {wire_name(each): getattr(declared, each.name) for each in fields(declared)}
    return {name: value for name, value in values.items() if value is not None}
