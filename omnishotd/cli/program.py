"""The group that all commands belong to, and the one way in which any of them ends: a status, and lines on stderr."""

import contextlib
import errno
import os
import sys
from typing import Any, Final, NoReturn

import click

from ipc.journal import Priority, for_standard_error
from omnishotd import __version__

EXIT_INTERRUPTED = 130
"""As shells count a death by SIGINT: 128 and the signal's number."""

_OUTPUT_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What becomes of writing to a standard output that is full or broken. A reader that went away is click's to end."""


class Failure(Exception):
    """A command cannot do what was asked. Each line of the message is printed behind the program's name."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class Program(click.Group):
    """Commands return their exit status. No user's mistake ends in a traceback."""

    def __init__(self, name: str, commands: list[click.Command], help: str) -> None:  # noqa: A002 - click's own word
        super().__init__(
            name,
            commands={str(command.name): command for command in commands},
            help=help,
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        )
        self.params.append(_version_option())

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, and end the process with the command's status."""
        extra["standalone_mode"] = False
        try:
            status = super().main(*args, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            status = 2
        except click.UsageError as error:
            status = _say(_usage(error), _usage_status(error))
        except click.ClickException as error:
            status = _say(error.format_message(), error.exit_code)
        except Failure as error:
            status = _say(error.message, error.status)
        except OSError as error:
            # A file's error names it and has been dealt with where it came up; standard output has no name.
            if error.errno not in _OUTPUT_ERRORS or error.filename is not None:
                raise
            _abandon_output()
            status = _say(f"standard output: {error.strerror}", os.EX_IOERR)
        except (click.Abort, KeyboardInterrupt):
            status = _say("interrupted", EXIT_INTERRUPTED)
        sys.exit(status if isinstance(status, int) else 0)


def _say(message: str, status: int) -> int:
    # Where stderr is full as well, the status has to do.
    with contextlib.suppress(OSError):
        for line in message.splitlines():
            click.echo(for_standard_error(f"omnishotd: {line}", Priority.ERROR), err=True)
    return status


def _abandon_output() -> None:
    """Let what could not be written go nowhere: Python would try once more at its end, and complain."""
    with contextlib.suppress(OSError, ValueError):
        stdout = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stdout)
        os.close(nowhere)


def _usage(error: click.UsageError) -> str:
    where = error.ctx.command_path if error.ctx is not None else "omnishotd"
    return f"{error.format_message().rstrip('.')}; see {where} --help"


def _usage_status(error: click.UsageError) -> int:
    # Service managers know the daemon's statuses from sysexits.h; other commands keep the shell's 2.
    is_daemon = error.ctx is not None and error.ctx.command.name == "serve"
    return os.EX_USAGE if is_daemon else 2


def _version_option() -> click.Option:
    def show(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
        if wanted and not context.resilient_parsing:
            click.echo(f"omnishotd {__version__}")
            context.exit()

    return click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=show, help="Show the version and exit."
    )
