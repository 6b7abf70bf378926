"""What is wrong with a configuration, in one line a problem: `section.key: what, limit (where it was said)`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ipc.printable import printable

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_SHOWN_CHARACTERS_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: the key as the user writes it, and what is wrong with its value."""

    key: str
    what: str
    origin: str = ""

    def __str__(self) -> str:
        said = f" ({self.origin})" if self.origin else ""
        return printable(f"{self.key}: {self.what}{said}")


class ConfigurationError(Exception):
    """The configuration cannot be used. `problems` are all that were found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


def key_of(path: Sequence[str | int]) -> str:
    """Write a path into the configuration as its user would: `pipeline.pools[0].workers`."""
    key = ""
    for part in path:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
    return key or "configuration"


def shown(value: object) -> str:
    """Write a value for a message: on one line, and short."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else text[: _SHOWN_CHARACTERS_MAX - 3] + "..."


def sentence(error: "ErrorDetails", known: Sequence[str]) -> str:
    """Say in our own words what the validation found. `known` are the keys that the same section has."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(str(error["loc"][-1]), known)
    if kind in _TYPES:
        return f"must be {_TYPES[kind]}, is {shown(value)}"
    if kind in _LIMITS:
        return _LIMITS[kind](value, context)
    if kind == "value_error":
        return str(context["error"])
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}, is {shown(value)}"


def _unknown(key: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - 5 ms, and only needed by who mistyped

    alike = get_close_matches(key, known, n=1)
    return f"unknown key, did you mean {alike[0]}?" if alike else "unknown key"


_TYPES: Final = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}

_LIMITS: Final[dict[str, Callable[[Any, dict[str, Any]], str]]] = {
    "missing": lambda _value, _context: "is missing",
    "greater_than_equal": lambda value, context: f"is {shown(value)}, must be at least {context['ge']}",
    "less_than_equal": lambda value, context: f"is {shown(value)}, must be at most {context['le']}",
    "too_short": lambda value, context: f"has {len(value)} entries, must have at least {context['min_length']}",
    "too_long": lambda value, context: f"has {len(value)} entries, must have at most {context['max_length']}",
    "literal_error": lambda value, context: f"is {shown(value)}, must be {context['expected']}",
}
