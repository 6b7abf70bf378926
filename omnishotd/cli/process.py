"""`omnishotd process`: pictures from files, patterns and folders, through a daemon, into a folder."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from omnishotd.cli.program import Failure
from omnishotd.cli.request import Request, requested
from omnishotd.cli.wanted import Wanted, wanted_options

if TYPE_CHECKING:
    from omnishotd.cli.pictures import Collected, Picture
    from omnishotd.cli.submission import Done, Failed
    from omnishotd.client import Client, DaemonInfo

_REACH_SECONDS_MAX: Final = 5.0


@click.command(
    short_help="Process pictures and write the results to a folder.",
    epilog="""\b
Examples:
  omnishotd process photo.jpg --out small --preset thumbnail
  omnishotd process ~/Pictures 'scans/**/*.png' --out web --resize 1600x1600 --fit inside --quality 85
  omnishotd process ~/Pictures --out web --resize 300x300 --resize 1200x --format webp --format jpeg --json > web.jsonl
  omnishotd process photo.png --out web --format avif --max-bytes 200k --metadata keep
  omnishotd process logo.gif --out frames --page 3 --format webp --lossless
  omnishotd process scan.jpg --out . --operations '[{"op": "trim"}, {"op": "rotate", "angle": 1.5}]'
  omnishotd process ~/Pictures --out prints --operations @print.json --format png
""",
)
@click.argument("names", metavar="IN...", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where to.")
@wanted_options
@click.option(
    "--page",
    type=click.IntRange(0, 9999),
    metavar="N",
    help="Which picture of a file that has several, from 0, the default. Of gif, webp, avif.",
)
@click.option(
    "--endpoint",
    metavar="ADDRESS",
    help="The daemon to use; default: $OMNISHOTD_ENDPOINT, else one that runs, else a private one.",
)
@click.option(
    "--server-key", metavar="KEY", help="For a daemon on tcp://: its public key; default: $OMNISHOTD_SERVER_KEY."
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="For a daemon on tcp://: your secret key; default: $OMNISHOTD_KEY_FILE.",
)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Start a private daemon that is configured so.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a picture.")
def process(
    names: tuple[str, ...],
    out: Path,
    page: int | None,
    endpoint: str | None,
    server_key: str | None,
    key_file: Path | None,
    file: Path | None,
    as_json: bool,
    **wanted: Any,
) -> int:
    """Process pictures and write the results to a folder, under the names of the originals.

    IN is a file, a pattern or a folder, which is searched for pictures (jpg, png, webp, avif, gif) to all depths.
    What lies in DIR is no original of a pattern or a folder. Originals are never written to; a result of an earlier
    run is replaced. Pictures are turned upright as their EXIF orientation says, but with --operations, where
    auto_orient does it.

    Status 0: all done; 1: some failed, listed at the end; 2: wrong usage; 69: no daemon; 73: DIR cannot be written to;
    74: standard output cannot be written to; 78: wrong configuration.
    """
    from omnishotd.cli.submission import Failed

    if endpoint is not None and file is not None:
        raise click.UsageError("--endpoint names a daemon that runs; --config starts another: use one of them")
    request = requested(Wanted(**wanted), page)
    started = time.monotonic()
    found = _collected(names, out)
    report = _Report(as_json)
    for unsearched in found.unsearched:
        report.add(Failed(unsearched.folder, "UNREADABLE", unsearched.message))
    if found.pictures:
        with (
            _terminated_in_order(),
            _reached(endpoint, file) as reached,
            _client(reached, server_key, key_file) as client,
        ):
            _run(client, found.pictures, request, report)
    return report.close(time.monotonic() - started)


class _Report:
    """What became of the pictures: told at once as JSON, or at the end."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._count = 0
        self._failures: list[Failed] = []

    def add(self, outcome: "Done | Failed") -> None:
        from omnishotd.cli.submission import Failed

        self._count += 1
        if isinstance(outcome, Failed):
            self._failures.append(outcome)
        if self._as_json:
            click.echo(json.dumps(_plain(outcome)))

    def close(self, took_s: float) -> int:
        """List what failed and return the command's status."""
        for failure in self._failures:
            click.echo(f"omnishotd: {failure.source}: {failure.code}: {failure.message}", err=True)
        if not self._as_json:
            click.echo(f"{self._count - len(self._failures)} of {self._count} pictures done in {took_s:.1f} s")
        return 1 if self._failures else 0


def _collected(names: Sequence[str], out: Path) -> "Collected":
    from omnishotd.cli.pictures import NoSuchPicture, collect

    _make_folder(out)
    try:
        return collect(names, out)
    except NoSuchPicture as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from error


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"--out: {error.filename}: {error.strerror}", os.EX_CANTCREAT) from error
    if not os.access(out, os.W_OK | os.X_OK, effective_ids=True):
        raise Failure(f"--out: {out}: cannot be written to", os.EX_CANTCREAT)


@contextmanager
def _reached(endpoint: str | None, file: Path | None) -> Iterator[str]:
    """Yield the address of a daemon: the one named, the one that runs, or one started for this command."""
    from omnishotd.cli.private import private_daemon, running_endpoint

    known = endpoint or (None if file is not None else os.environ.get("OMNISHOTD_ENDPOINT") or running_endpoint())
    if known is not None:
        yield known
        return
    with private_daemon(() if file is None else ("--config", str(file))) as started:
        yield started


@contextmanager
def _terminated_in_order() -> Iterator[None]:
    """Have SIGTERM end this command as Ctrl-C does: what it started is stopped."""

    def end(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(client: "Client", pictures: "Sequence[Picture]", request: Request, report: _Report) -> None:
    from omnishotd.cli.progress import progress
    from omnishotd.cli.submission import Futile, Submission
    from omnishotd.client import OmnishotError

    try:
        info = client.info(timeout_s=_REACH_SECONDS_MAX)
        _check_known(request, info)
        with progress(len(pictures)) as advance:
            for outcome in Submission(client, pictures, request, info.limits["max_frame_bytes"]):
                advance()
                report.add(outcome)
    except Futile as error:
        raise click.UsageError(str(error)) from error
    except OmnishotError as error:
        raise Failure(str(error), os.EX_UNAVAILABLE) from error


def _check_known(request: Request, info: "DaemonInfo") -> None:
    """Tell what this daemon does not have before any picture is sent."""
    if request.preset is not None and request.preset not in info.presets:
        raise click.UsageError(_unknown("--preset", request.preset, info.presets))
    for output in request.outputs or ():
        if output["format"] not in info.formats.get("out", (output["format"],)):
            raise click.UsageError(_unknown("--format", output["format"], info.formats["out"]))
        for operation in output["operations"]:
            if operation["op"] not in info.operations:
                raise click.UsageError(_unknown("--operations", operation["op"], info.operations))


def _unknown(option: str, word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, n=1)
    meant = f", did you mean {near[0]}?" if near else ""
    return f"{option}: the daemon has no {word!r}{meant or '; it has: ' + (', '.join(known) or 'none')}"


def _client(endpoint: str, server_key: str | None, key_file: Path | None) -> "Client":
    from omnishotd.client import Client

    try:
        return Client(endpoint=endpoint, server_key=server_key, key_file=key_file)
    except ValueError as error:
        raise Failure(str(error), 2) from error


def _plain(outcome: "Done | Failed") -> dict[str, Any]:
    plain = asdict(outcome)
    plain["source"] = str(outcome.source)
    for output in plain.get("outputs", ()):
        output["path"] = str(output["path"])
    return plain
