"""Operations as they are written on a command line: a JSON list, or a file that holds one."""

import json
from pathlib import Path
from typing import Any, Final

import click

_FILE_BYTES_MAX: Final = 64 * 1024
"""More than a request's header takes."""
_EXAMPLE: Final = """'[{"op": "blur", "sigma": 2}]'"""


def read_operations(text: str) -> list[dict[str, Any]]:
    """Read `[{"op": ...}, ...]`, or `@FILE` that holds it. Their names and parameters are the daemon's to judge.

    Raises click.UsageError.
    """
    if text.startswith("@"):
        text = _content(Path(text[1:]))
    try:
        operations = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _wrong(f"no JSON: {error.msg} at {where}; a list is wanted, as {_EXAMPLE}, or @FILE") from error
    except RecursionError as error:
        raise _wrong("nested too deeply") from error
    except ValueError as error:  # of a number with thousands of digits
        raise _wrong("no JSON: a number is too long") from error
    if not isinstance(operations, list) or not operations:
        raise _wrong(f"a list of operations is wanted, as {_EXAMPLE}")
    for index, operation in enumerate(operations):
        if not isinstance(operation, dict) or not isinstance(operation.get("op"), str):
            raise _wrong(f'[{index}] is no operation: a map with its name as "op" is wanted, as {_EXAMPLE}')
    return operations


def _content(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise _wrong(f"{file}: {error.strerror}") from error
    if len(content) > _FILE_BYTES_MAX:
        raise _wrong(f"{file}: longer than {_FILE_BYTES_MAX} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _wrong(f"{file}: no text in UTF-8") from error


def _wrong(what: str) -> click.UsageError:
    return click.UsageError(f"--operations: {what}")
