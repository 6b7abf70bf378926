"""`omnishotd keys`: pairs of keys, for daemons that take frames over TCP and for the producers that send them."""

import os
import socket
from pathlib import Path

import click

from ipc.keys import NAME, PUBLIC_SUFFIX
from omnishotd.cli.program import Failure

_SECRET_MODE = 0o600
_PUBLIC_MODE = 0o644


@click.group(
    epilog="""\b
Example:
  omnishotd keys new camera-7
""",
)
def keys() -> None:
    """Make the keys by which a daemon and its producers know each other over TCP.

    Each side keeps its secret key to itself and gives its public key to the other.
    """


@keys.command(
    epilog="""\b
Examples:
  omnishotd keys new omnishotd --dir /etc/omnishotd     on the daemon's host
  omnishotd keys new camera-7                           on a producer's host
""",
)
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    metavar="DIR",
    help="Where the two files go; default: the folder you are in.",
)
def new(name: str | None, folder: Path) -> int:
    """Make a pair of keys: NAME.secret, for this user's eyes only, and NAME.key, for everybody's.

    NAME, by default this host's, is what a daemon calls the producer in its log and figures. No file is ever replaced.

    Status 0: made; 2: wrong usage; 73: the files are there already, or cannot be written.
    """
    import zmq

    name = socket.gethostname().partition(".")[0] if name is None else name
    if not NAME.fullmatch(name):
        raise click.UsageError(f"NAME: {name!r} must be 1 to 64 letters, digits, dots, hyphens or underscores")
    public_key, secret_key = (key.decode() for key in zmq.curve_keypair())
    folder = folder.absolute()
    public, secret = folder / f"{name}{PUBLIC_SUFFIX}", folder / f"{name}.secret"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(secret, secret_key, _SECRET_MODE)
        try:
            _write(public, public_key, _PUBLIC_MODE)
        except OSError:
            secret.unlink()
            raise
    except FileExistsError as error:
        raise Failure(f"{error.filename} is there already, and is not replaced", os.EX_CANTCREAT) from error
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}", os.EX_CANTCREAT) from error
    click.echo(_told(public_key, public, secret))
    return 0


def _write(path: Path, key: str, mode: int) -> None:
    """Write a file that was not there. Raises OSError that names it."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "w", encoding="ascii") as stream:
        # Whatever the umask is: one that is too narrow would keep the daemon from a public key.
        os.fchmod(fd, mode)
        stream.write(f"{key}\n")


def _told(public_key: str, public: Path, secret: Path) -> str:
    return f"""\
secret key: {secret}
public key: {public}
            {public_key}

If they are the daemon's, in its configuration:
  frames.curve_secret_key_file = "{secret}"
  frames.curve_authorized_keys = "FOLDER"    # with the public key, *{PUBLIC_SUFFIX}, of each producer
and on each producer's host:
  export OMNISHOTD_SERVER_KEY='{public_key}'

If they are a producer's, copy {public.name} into that folder on the daemon's host, have the daemon read it
(systemctl reload omnishotd, or SIGHUP), and on the producer's host:
  export OMNISHOTD_KEY_FILE='{secret}'"""
