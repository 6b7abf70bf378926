"""Options that change the configuration, and its errors told to the user; shared by the commands that read it."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from omnishotd.cli.program import Failure

if TYPE_CHECKING:
    from omnishotd.config import Resolution

_ASSIGNMENT: Final = re.compile(r"[a-z_]+(\.[A-Za-z0-9_-]+)+=.*", re.DOTALL)

Command = Callable[..., Any]


def _checked(_context: click.Context, _parameter: click.Parameter, assignments: tuple[str, ...]) -> tuple[str, ...]:
    for assignment in assignments:
        if not _ASSIGNMENT.fullmatch(assignment):
            raise click.BadParameter(f"{assignment!r} is not section.key=value")
    return assignments


def config_option(meaning: str) -> Callable[[Command], Command]:
    """Make the option `--config`."""
    return click.option("--config", "file", type=click.Path(path_type=Path), metavar="FILE", help=meaning)


set_option = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_checked,
    help="Set one key, as pipeline.queue_limit=64; the value is written as in TOML. May be repeated.",
)


def read_configuration(file: Path | None, assignments: Sequence[str], *, is_to_serve: bool = True) -> "Resolution":
    """Read file, environment and command line; all that is wrong becomes one failure with status 78.

    `is_to_serve` as of `omnishotd.config.read`.
    """
    from omnishotd.config import ConfigurationError, read

    try:
        return read(file, os.environ, assignments, is_to_serve=is_to_serve)
    except ConfigurationError as error:
        raise Failure("\n".join(map(str, error.problems)), os.EX_CONFIG) from error
