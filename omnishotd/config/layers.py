"""Where values come from: a TOML file, under the environment, under the command line.

A value in the environment or on the command line is written as in TOML; what is no TOML value is text. The three
layers are read here and not by pydantic-settings, whose import takes 80 ms of a start and which ignores an unknown
section in the environment and stops at the first value that it cannot read.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from omnishotd.config.problems import ConfigurationError, Problem

DEFAULT_FILE: Final = Path("/etc/omnishotd/omnishotd.toml")
ENVIRONMENT_PREFIX: Final = "OMNISHOTD_"
_SEPARATOR: Final = "__"
_FILE_BYTES_MAX: Final = 1 << 20

Values = dict[str, Any]
"""Nested tables as TOML gives them: what the schema has not seen yet."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Values that were said in one place. `origin` names the place in messages."""

    origin: str
    values: Values
    folder: Path = Path()
    """Where relative paths begin, if not at the current folder."""

    def says(self, path: Sequence[str]) -> bool:
        """Tell whether the key at `path` was said here."""
        node: Any = self.values
        for part in path:
            if not isinstance(node, dict) or part not in node:
                return False
            node = node[part]
        return True


def read_file(path: Path | None) -> Layer:
    """Read the configuration file: the one that is named, else the system's where there is one."""
    chosen = path if path is not None else DEFAULT_FILE
    if path is None and not chosen.exists():
        return Layer("defaults", {})
    try:
        with chosen.open("rb") as stream:
            text = stream.read(_FILE_BYTES_MAX + 1)
        if len(text) > _FILE_BYTES_MAX:
            raise ConfigurationError([Problem(str(chosen), f"is larger than {_FILE_BYTES_MAX} bytes")])
        return Layer(str(chosen), tomllib.loads(text.decode()), chosen.parent)
    except OSError as error:
        raise ConfigurationError([Problem(str(chosen), f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError([Problem(str(chosen), "is not UTF-8 text")]) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError([Problem(str(chosen), f"is not TOML: {error}")]) from error


def read_environment(environment: Mapping[str, str]) -> Layer:
    """Read `OMNISHOTD_SECTION__KEY`. Names without the double underscore are not ours: Kubernetes makes such."""
    values: Values = {}
    for name in sorted(environment):
        path = name.removeprefix(ENVIRONMENT_PREFIX).lower().split(_SEPARATOR)
        if name.startswith(ENVIRONMENT_PREFIX) and len(path) > 1:
            _insert(values, path, value_of(environment[name]))
    return Layer("environment", values)


def read_assignments(assignments: Sequence[str]) -> Layer:
    """Read `section.key=value` as the command line gives them; the last one of a key counts."""
    values: Values = {}
    for assignment in assignments:
        key, _, text = assignment.partition("=")
        _insert(values, key.split("."), value_of(text))
    return Layer("command line", values)


def value_of(text: str) -> Any:
    """Read one value as TOML would; what is none is text."""
    try:
        document = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return document["value"] if document.keys() == {"value"} else text


def merge(layers: Sequence[Layer]) -> Values:
    """Lay each layer over those before it: tables are joined, everything else is replaced."""
    merged: Values = {}
    for layer in layers:
        merged = _joined(merged, layer.values)
    return merged


def _joined(under: Values, over: Values) -> Values:
    joined = dict(under)
    for key, value in over.items():
        below = joined.get(key)
        joined[key] = _joined(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return joined


def _insert(values: Values, path: Sequence[str], value: object) -> None:
    node = values
    for part in path[:-1]:
        if not isinstance(node.get(part), dict):
            node[part] = {}
        node = node[part]
    node[path[-1]] = value
