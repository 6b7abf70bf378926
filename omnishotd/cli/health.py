"""`omnishotd health`: ask a running daemon how it is, for scripts and container health checks."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ipc.printable import printable
from omnishotd.cli.configured import config_option, read_configuration
from omnishotd.cli.program import Failure

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_BODY_BYTES_MAX: Final = 1 << 20
_ANSWERS: Final = (200, 503)


@dataclass(frozen=True, slots=True)
class Health:
    """What the daemon says of itself."""

    status: str
    checks: tuple[tuple[str, str, str], ...]
    """Name, status, detail."""


@click.command(
    short_help="Ask a running daemon how it is.",
    epilog="""\b
Examples:
  omnishotd health
  omnishotd health --url http://127.0.0.1:8080 --timeout 2 || systemctl restart omnishotd
""",
)
@click.option("--url", metavar="URL", help="Where the control plane is; default: as the configuration says.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1, max=600),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for an answer.",
)
@config_option("Configuration of the daemon to ask; default: /etc/omnishotd/omnishotd.toml, where it exists.")
def health(url: str | None, timeout: float, file: Path | None) -> int:
    """Print one line a check. Status 0: ok; 1: degraded or unhealthy; 69: no answer."""
    found = _read(_ask(_target(url, file), timeout))
    for name, status, detail in found.checks:
        click.echo(printable(f"{name}: {status}" + (f", {detail}" if detail else "")))
    click.echo(printable(found.status))
    return 0 if found.status == "ok" else 1


def _target(url: str | None, file: Path | None) -> "SplitResult":
    from urllib.parse import urlsplit

    if url is None:
        control = read_configuration(file, ()).configuration.control
        host = f"[{control.host}]" if ":" in control.host else control.host
        url = f"http://{host}:{control.port}"
    refusal = click.UsageError(f"--url: {url!r} is not an address as http://127.0.0.1:3000")
    try:
        target = urlsplit(url)
        port = target.port
    except ValueError as error:
        raise refusal from error
    if target.scheme not in {"http", "https"} or not target.hostname or port == 0:
        raise refusal
    return target if target.path.strip("/") else target._replace(path="/health")


def _ask(target: "SplitResult", timeout: float) -> bytes:
    # http.client knows no proxies and follows nowhere: the answer is the daemon's own.
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    kind = HTTPSConnection if target.scheme == "https" else HTTPConnection
    connection = kind(str(target.hostname), target.port, timeout=timeout)
    try:
        connection.request("GET", target.path, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        body = answer.read(_BODY_BYTES_MAX)
    except (OSError, HTTPException) as error:
        raise Failure(f"no answer from {target.geturl()}: {error}", os.EX_UNAVAILABLE) from error
    finally:
        connection.close()
    if answer.status not in _ANSWERS:
        raise Failure(f"{target.geturl()} answers with status {answer.status}", os.EX_UNAVAILABLE)
    return body


def _read(body: bytes) -> Health:
    try:
        document: dict[str, Any] = json.loads(body)
        checks = tuple(
            (str(name), str(check["status"]), str(check.get("detail") or ""))
            for name, check in document["checks"].items()
        )
        return Health(str(document["status"]), checks)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Failure("something answers, but not as omnishotd does", os.EX_UNAVAILABLE) from error
