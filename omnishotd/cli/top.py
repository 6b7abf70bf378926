"""`omnishotd top`: what a running daemon does, live in a terminal, or as plain text."""

import os
import sys
from pathlib import Path
from typing import Final

import click

from omnishotd.cli.access import find_access, token_file_option, url_option
from omnishotd.cli.configured import config_option

_ANSWER_SECONDS_MAX: Final = 5.0
_INTERVAL_S: Final = 1.0


@click.command(
    short_help="Watch a running daemon.",
    epilog="""\b
Examples:
  omnishotd top
  omnishotd top --url http://127.0.0.1:8080 --interval 0.5
  omnishotd top --once | grep worker
  omnishotd top --interval 10 --count 6 > minute.txt
""",
)
@url_option
@config_option("Configuration of the daemon to watch; default: /etc/omnishotd/omnishotd.toml, where it exists.")
@token_file_option
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(min=0.1, max=60),
    metavar="SECONDS",
    help="How often figures are taken; default: 1. Off a terminal: print them so often, and not just once.",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Print plain text so many times, then end.")
@click.option("--once", is_flag=True, help="Print plain text once, on a terminal too.")
def top(
    url: str | None,
    file: Path | None,
    token_file: Path | None,
    interval_s: float | None,
    count: int | None,
    once: bool,
) -> int:
    """Show what a running daemon does: state, frames, times, queue, services, memory, alerts and events.

    On a terminal the screen follows the daemon until q is pressed; ? shows the other keys. Elsewhere plain text is
    printed.

    Status 0: done; 69: no answer; 77: no token, or a wrong one; 130: interrupted.
    """
    if once and count is not None:
        raise click.UsageError("--once is --count 1: use one of them")
    from omnishotd.cli.feed import ask_health
    from omnishotd.cli.screen import Setting

    access = find_access(url, file, token_file)
    setting = Setting(access.url.netloc.rpartition("@")[2], interval_s or _INTERVAL_S)
    # A wrong address or token is told at once, in a line. From then on the screen tells what becomes of the connection.
    ask_health(access, _ANSWER_SECONDS_MAX)
    if once or count is not None or not _is_on_a_terminal():
        from omnishotd.cli.plain import print_plain

        is_endless = not once and count is None and interval_s is not None
        return print_plain(access, setting, None if is_endless else count or 1)
    from omnishotd.cli.watch import Watch

    return Watch(access, setting).run()


def _is_on_a_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}
