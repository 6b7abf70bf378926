"""`omnishotd serve`: check the configuration, then become the supervisor."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from omnishotd.cli.configured import config_option, read_configuration, set_option
from omnishotd.cli.program import Failure

if TYPE_CHECKING:
    from ipc.settings import Settings


@click.command(
    short_help="Run the daemon.",
    epilog="""\b
Examples:
  omnishotd serve
  omnishotd serve --config omnishotd.toml --port 8080
  omnishotd serve --endpoint ipc:///run/user/1000/frames.sock --set memory.arena_mb=512
""",
)
@config_option("Configuration; default: /etc/omnishotd/omnishotd.toml, where it exists.")
@set_option
@click.option("--endpoint", "endpoints", multiple=True, metavar="ADDRESS", help="Take frames here. May be repeated.")
@click.option("--host", metavar="ADDRESS", help="Address of the control plane.")
@click.option("--port", type=int, metavar="PORT", help="Port of the control plane; 0: any that is free.")
@click.option(
    "--log-format",
    type=click.Choice(["auto", "text", "json"]),
    default="auto",
    show_default=True,
    help="Form of log lines on stderr; auto: text on a terminal and in the journal, else JSON.",
)
@click.option("--ready-fd", type=int, hidden=True, help="Write R here when ready.")
@click.option("--settings-to", type=int, hidden=True, help="Write the settings here, and end.")
@click.option(
    "--stop-with-parent",
    type=int,
    metavar="PID",
    hidden=True,
    expose_value=False,
    callback=lambda _context, _parameter, parent: None if parent is None else _stop_with_parent(parent),
    help="Stop when the process that started this one ends, which is this one.",
)
def serve(
    file: Path | None,
    assignments: tuple[str, ...],
    endpoints: tuple[str, ...],
    host: str | None,
    port: int | None,
    log_format: str,
    ready_fd: int | None,
    settings_to: int | None,
) -> None:
    """Run the daemon until SIGTERM or SIGINT.

    Its log goes to stderr. SIGTERM lets accepted frames finish; a second one does not. SIGHUP has the configuration
    read again. Configuration errors are all told at once and end the program with status 78.
    """
    said = [*assignments, *_direct(endpoints, host, port)]
    settings = read_configuration(file, said).settings()
    if settings_to is not None:
        _write(settings, settings_to)
        return
    arguments = ["--settings-fd", str(_written(settings)), "--log-format", log_format]
    if ready_fd is not None:
        arguments += ["--ready-fd", str(ready_fd)]
    _become_supervisor([*arguments, "--", *_repeated(file, said)])


def _become_supervisor(arguments: list[str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    # The mask is kept by exec: a signal that comes before the supervisor can handle it waits until it can.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    # The supervisor takes this process's place, so that what was needed to read the configuration is gone from memory.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "omnishotd.supervisor", *arguments])  # noqa: S606 - no shell is wanted


def _direct(endpoints: tuple[str, ...], host: str | None, port: int | None) -> Iterator[str]:
    # JSON's strings, lists and numbers are TOML's as well.
    if endpoints:
        yield f"frames.endpoints={json.dumps(endpoints)}"
    if host is not None:
        yield f"control.host={json.dumps(host)}"
    if port is not None:
        yield f"control.port={port}"


def _repeated(file: Path | None, assignments: list[str]) -> list[str]:
    """Return the arguments with which a reload reads the same configuration again."""
    arguments = ["serve"]
    if file is not None:
        arguments += ["--config", str(file)]
    for assignment in assignments:
        arguments += ["--set", assignment]
    return arguments


def _written(settings: "Settings") -> int:
    """Write settings into memory that the next program in this process inherits as a file."""
    memory = os.memfd_create("omnishotd-settings", 0)
    _write(settings, memory)
    os.lseek(memory, 0, os.SEEK_SET)
    return memory


def _write(settings: "Settings", descriptor: int) -> None:
    import msgspec

    with open(descriptor, "wb", closefd=False) as stream:
        stream.write(msgspec.msgpack.encode(settings))


def _stop_with_parent(parent: int) -> None:
    """Have the kernel send SIGTERM when the parent ends, however it ends; it is kept across exec (prctl(2))."""
    import ctypes

    set_parent_death_signal = 1
    if ctypes.CDLL(None, use_errno=True).prctl(set_parent_death_signal, signal.SIGTERM) != 0:
        raise Failure(f"prctl: {os.strerror(ctypes.get_errno())}", os.EX_OSERR)
    # If it ended before that, nothing is sent. Its number is needed to tell: in a container it may itself be 1.
    if os.getppid() != parent:
        raise Failure("the process that asked for this daemon is gone", os.EX_TEMPFAIL)
