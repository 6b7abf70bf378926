"""Access to a control plane: its address, the token it asks for, and one question at a time by HTTP."""

import json
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ipc.printable import printable
from omnishotd.cli.configured import read_configuration
from omnishotd.cli.program import Failure
from omnishotd.cli.token_file import TokenFile

if TYPE_CHECKING:
    from http.client import HTTPConnection
    from urllib.parse import SplitResult

_BODY_BYTES_MAX: Final = 1 << 20
_WHY_LENGTH_MAX: Final = 200
_UNAUTHORIZED: Final = 401

Command = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Access:
    """One control plane."""

    url: "SplitResult"
    token_file: TokenFile | None

    def ask(self, path: str, timeout: float, accepted: tuple[int, ...] = (200,)) -> bytes:
        """Return the body of the answer to GET, of at most 1 MiB.

        Raises Failure: with status 77 where the token is missing or wrong, else 69 where there is no such answer.
        """
        from http.client import HTTPException

        headers = {"Accept": "application/json", **self.credentials()}
        # http.client knows no proxies and follows nowhere: the answer is the daemon's own.
        with closing(self._connection(timeout)) as connection:
            try:
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                body = answer.read(_BODY_BYTES_MAX)
            except (OSError, HTTPException) as error:
                raise Failure(f"no answer from {self._named(path)}: {error}", os.EX_UNAVAILABLE) from error
        if answer.status in accepted:
            return body
        raise self.refusal(path, answer.status, body)

    def credentials(self) -> dict[str, str]:
        """Return the headers that show the token, where there is one. Raises Failure with status 77."""
        token = self.token_file.read() if self.token_file is not None else None
        return {"Authorization": f"Bearer {token}"} if token is not None else {}

    def refusal(self, path: str, http_status: int, body: bytes) -> Failure:
        """Tell what an answer means that is none."""
        who = self._named(path)
        if http_status != _UNAUTHORIZED:
            return Failure(f"{who} answers with status {http_status}{_why(body)}", os.EX_UNAVAILABLE)
        if self.token_file is None:
            what = "asks for a token: name its file with --token-file"
        elif self.credentials():
            what = f"does not take the token in {self.token_file.path}"
        else:
            what = f"asks for the token in {self.token_file.path}, which cannot be read; --token-file names another"
        return Failure(f"{who} {what}", os.EX_NOPERM)

    def _connection(self, timeout: float) -> "HTTPConnection":
        from http.client import HTTPConnection, HTTPSConnection

        kind = HTTPSConnection if self.url.scheme == "https" else HTTPConnection
        return kind(str(self.url.hostname), self.url.port, timeout=timeout)

    def _named(self, path: str) -> str:
        return self.url._replace(path=path).geturl()


def url_option(command: Command) -> Command:
    """Add the option `--url`."""
    meaning = "Where the control plane is; default: as the configuration says."
    return click.option("--url", metavar="URL", help=meaning)(command)


def token_file_option(command: Command) -> Command:
    """Add the option `--token-file`."""
    meaning = "File that holds the operators' token; default: control.token_file, unless --url stands without --config."
    return click.option("--token-file", type=click.Path(path_type=Path), metavar="FILE", help=meaning)(command)


def find_access(url: str | None, file: Path | None, token_file: Path | None) -> Access:
    """Find the control plane that the command line, or else the configuration, names."""
    named = TokenFile(token_file, is_required=True) if token_file is not None else None
    if url is not None and (file is None or named is not None):
        # No token of the system's own configuration goes to an address that it does not name.
        return Access(_checked(url), named)
    control = read_configuration(file, (), is_to_serve=False).settings().control
    if named is None and control.token_file:
        named = TokenFile(Path(control.token_file), is_required=False)
    if url is None:
        if control.port == 0:
            raise click.UsageError("control.port is 0, any that is free: say with --url which one it is")
        host = f"[{control.host}]" if ":" in control.host else control.host
        url = f"http://{host}:{control.port}"
    return Access(_checked(url), named)


def _checked(url: str) -> "SplitResult":
    from urllib.parse import urlsplit

    refusal = click.UsageError(f"--url: {url!r} is not an address as http://127.0.0.1:3000")
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError as error:
        raise refusal from error
    if split.scheme not in {"http", "https"} or not split.hostname or port == 0:
        raise refusal
    return split


def _why(body: bytes) -> str:
    """Return the sentence of an error's body, `{"error": ...}`, where it is one."""
    try:
        sentence = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return f": {printable(sentence[:_WHY_LENGTH_MAX])}" if isinstance(sentence, str) else ""
