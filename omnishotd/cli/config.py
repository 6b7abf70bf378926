"""`omnishotd config`: check the configuration, show what it comes to, print its schema."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from omnishotd.cli.configured import config_option, read_configuration, set_option

if TYPE_CHECKING:
    from omnishotd.config import Resolution

_config_option = config_option("Configuration to read; default: /etc/omnishotd/omnishotd.toml, where it exists.")


@click.group()
def config() -> None:
    """Check, show or describe the configuration.

    A TOML file lies under the environment (OMNISHOTD_SECTION__KEY), and that under the command line (--set).
    """


@config.command(
    epilog="""\b
Example:
  omnishotd config check --config omnishotd.toml
"""
)
@_config_option
@set_option
def check(file: Path | None, assignments: tuple[str, ...]) -> int:
    """Tell all that is wrong. Status 0: nothing; 78: something."""
    resolution = read_configuration(file, assignments)
    click.echo(f"valid ({', '.join(layer.origin for layer in resolution.layers if layer.values) or 'defaults'})")
    return 0


@config.command(
    epilog="""\b
Examples:
  omnishotd config show > omnishotd.toml
  OMNISHOTD_CONTROL__PORT=8080 omnishotd config show
"""
)
@_config_option
@set_option
def show(file: Path | None, assignments: tuple[str, ...]) -> int:
    """Print every key with its value, as TOML; what is not a default says where it comes from."""
    for line in _toml(read_configuration(file, assignments)):
        click.echo(line)
    return 0


@config.command()
def schema() -> int:
    """Print all keys with types, bounds and meanings, as JSON Schema."""
    from omnishotd.config.json_schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
    return 0


def _toml(resolution: "Resolution") -> Iterator[str]:
    values = resolution.configuration.model_dump()
    named = {section: values.pop(section) for section in ("presets", "overlays")}
    for section, keys in values.items():
        yield f"[{section}]"
        for key, value in keys.items():
            yield f"{key} = {_value(value)}{_origin(resolution, section, key)}"
        yield ""
    for section, entries in named.items():
        for name, keys in entries.items():
            yield f"[{section}.{_key(name)}]"
            for key, value in keys.items():
                yield f"{key} = {_value(value)}{_origin(resolution, section, name)}"
            yield ""


def _origin(resolution: "Resolution", *path: str) -> str:
    origin = resolution.origin(path)
    return f"  # {origin}" if origin is not None else ""


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_value(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    # JSON's text, numbers and truth values are TOML's as well, but for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
