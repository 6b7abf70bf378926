"""`omnishotd health`: ask a running daemon how it is, for scripts and container health checks."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from ipc.printable import printable
from omnishotd.cli.access import find_access, token_file_option, url_option
from omnishotd.cli.configured import config_option
from omnishotd.cli.program import Failure

_ANSWERS: Final = (200, 503)


@dataclass(frozen=True, slots=True)
class Health:
    """What the daemon says of itself."""

    status: str
    checks: tuple[tuple[str, str, str], ...]
    """Name, status, detail."""
    document: dict[str, Any]
    """All of it, as it was said."""


@click.command(
    short_help="Ask a running daemon how it is.",
    epilog="""\b
Examples:
  omnishotd health
  omnishotd health --url http://127.0.0.1:8080 --timeout 2 || systemctl restart omnishotd
  omnishotd health --json | jq .checks.broker.detail
""",
)
@url_option
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1, max=600),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for an answer.",
)
@config_option("Configuration of the daemon to ask; default: /etc/omnishotd/omnishotd.toml, where it exists.")
@token_file_option
@click.option("--json", "as_json", is_flag=True, help="Print the answer as one JSON document.")
def health(url: str | None, timeout: float, file: Path | None, token_file: Path | None, as_json: bool) -> int:
    """Print one line a check. Status 0: ok; 1: degraded or unhealthy; 69: no answer; 77: no token, or a wrong one."""
    access = find_access(url, file, token_file)
    path = access.url.path if access.url.path.strip("/") else "/health"
    found = _read(access.ask(path, timeout, _ANSWERS))
    if as_json:
        # Written anew: in ASCII nothing can steer a terminal.
        click.echo(json.dumps(found.document))
    else:
        for name, status, detail in found.checks:
            click.echo(printable(f"{name}: {status}" + (f", {detail}" if detail else "")))
        click.echo(printable(found.status))
    return 0 if found.status == "ok" else 1


def _read(body: bytes) -> Health:
    try:
        document: dict[str, Any] = json.loads(body, parse_constant=_no_constant)
        checks = tuple(
            (str(name), str(check["status"]), str(check.get("detail") or ""))
            for name, check in document["checks"].items()
        )
        return Health(str(document["status"]), checks, document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Failure("something answers, but not as omnishotd does", os.EX_UNAVAILABLE) from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
