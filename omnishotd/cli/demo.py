"""`omnishotd demo`: real photographs through a daemon of its own, from a producer that is another process."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import click

from omnishotd.cli.program import Failure

_PHOTOGRAPHS: Final = {
    "astronaut.png": "Eileen Collins: NASA, public domain",
    "coffee.png": "coffee: Rachel Michetti, CC0",
    "hubble_deep_field.jpg": "Hubble eXtreme Deep Field: NASA, public domain",
    "retina.jpg": "human retina: Mikael Häggström, CC0",
    "rocket.jpg": "launch of DSCOVR: SpaceX, public domain",
}
"""Photographs among the data of scikit-image, and whose they are, as its documentation says."""

_SIZES: Final = ("300x300", "600x")
_FORMATS: Final = ("jpeg", "webp", "avif")
_EFFORT: Final = "2"
"""Less than the default: nobody waits long for a demonstration."""

_STEPS: Final = ("queue", "decode", "transform", "encode", "total")
_WIDTH_WITHOUT_TERMINAL: Final = 110
_PRODUCER_SECONDS_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class Photographs:
    """What the demonstration shows."""

    files: tuple[Path, ...]
    credits: tuple[str, ...] = ()


@click.command(
    short_help="Process photographs with a daemon of its own.",
    epilog="""\b
Examples:
  omnishotd demo
  omnishotd demo --photographs ~/Pictures --out /tmp/demo
""",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="demo-pictures",
    show_default=True,
    metavar="DIR",
    help="Where the finished pictures are written.",
)
@click.option(
    "--photographs",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Folder of pictures to use; default: photographs that scikit-image brings, where it is installed.",
)
def demo(out: Path, folder: Path | None) -> int:
    """Show the whole way: start a daemon, send it photographs from another process, write what comes back, stop it."""
    from omnishotd.cli.private import private_daemon

    photographs = _of_folder(folder) if folder is not None else _of_scikit_image()
    with private_daemon() as endpoint:
        finished = _produce(endpoint, photographs.files, out)
    _print(finished, out)
    for line in photographs.credits:
        click.echo(line)
    return 0


def _of_folder(folder: Path) -> Photographs:
    from omnishotd.cli.pictures import SUFFIXES

    files = tuple(sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES))
    if not files:
        raise click.UsageError(f"--photographs: no pictures in {folder}; looked for {' '.join(sorted(SUFFIXES))}")
    return Photographs(files)


def _of_scikit_image() -> Photographs:
    # Found and not imported: only its files are wanted.
    found = find_spec("skimage")
    folders = (found.submodule_search_locations if found is not None else None) or ()
    for folder in folders:
        files = tuple(Path(folder, "data", name) for name in _PHOTOGRAPHS)
        if all(file.is_file() for file in files):
            return Photographs(files, tuple(f"{name}: {of}" for name, of in _PHOTOGRAPHS.items()))
    raise Failure(
        "no photographs: name a folder of pictures with --photographs DIR, "
        "or install those of scikit-image: pip install --no-deps scikit-image",
        2,
    )


def _produce(endpoint: str, files: Sequence[Path], out: Path) -> list[dict[str, Any]]:
    """Run the producer, a process that shares nothing with the daemon but its address."""
    command = [sys.executable, "-P", "-m", "omnishotd", "process", *map(str, files), "--out", str(out), "--json"]
    command += ["--endpoint", endpoint]
    command += [part for size in _SIZES for part in ("--resize", size)]
    command += [part for form in _FORMATS for part in ("--format", form)]
    command += ["--effort", _EFFORT]
    try:
        ended = subprocess.run(
            command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False, timeout=_PRODUCER_SECONDS_MAX
        )
    except subprocess.TimeoutExpired as error:
        raise Failure(f"the producer did not end within {_PRODUCER_SECONDS_MAX} s", 1) from error
    if ended.returncode != 0:
        # It has said on our stderr what failed.
        raise Failure("not all photographs were finished", ended.returncode if ended.returncode > 0 else 1)
    return sorted(map(json.loads, ended.stdout.splitlines()), key=lambda photograph: str(photograph["source"]))


def _print(finished: Sequence[dict[str, Any]], out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(caption=f"milliseconds; finished pictures are in {out}", caption_justify="left")
    table.add_column("picture")
    table.add_column("input", justify="right")
    table.add_column("outputs")
    for step in _STEPS:
        table.add_column(step, justify="right")
    for photograph in finished:
        table.add_section()
        timing = photograph["timing_us"]
        table.add_row(
            Path(photograph["source"]).name,
            f"{photograph['width']}x{photograph['height']}",
            "\n".join(
                f"{made['width']}x{made['height']} {made['format']}, {made['bytes'] / 1000:.0f} kB"
                for made in photograph["outputs"]
            ),
            *(f"{timing.get(step, 0) / 1000:.1f}" for step in _STEPS),
        )
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH_WITHOUT_TERMINAL)
    console.print(table)
