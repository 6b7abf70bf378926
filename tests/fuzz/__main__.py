"""`python -m tests.fuzz probe|decode`: give a target changed files for a while, and stop at the first finding.

Ends with 0 where nothing was found. A file that was found is kept, and its path printed: `--file` tries it again.
Needs atheris, which `make fuzz` installs; `make test` does without it, for it is not built for every version of Python.
"""

import argparse
import importlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

SECONDS, SECONDS_MAX = 120, 86_400
FILE_BYTES_MAX: Final = 8192
"""Seeds are some 100 to 4000 bytes long."""
FILE_SECONDS_MAX: Final = 20
RSS_MIB_MAX: Final = 1024

TARGETS: Final = {"probe": "tests.fuzz.probing", "decode": "tests.fuzz.decoding"}
INSTRUMENTED: Final = {"probe": ["stages", "ipc"], "decode": ["stages", "ipc", "PIL"]}
"""Packages in which it is seen what code a file reaches."""


class Arguments(argparse.Namespace):
    """The command line."""

    target: str
    seconds: int
    folder: Path | None
    file: list[Path]


def main() -> None:
    """Run until the time is up or something is found; libFuzzer ends the process."""
    arguments = _parser().parse_args(namespace=Arguments())
    if arguments.file:
        target = importlib.import_module(TARGETS[arguments.target]).target
        for path in arguments.file:
            target(path.read_bytes())
        return
    _fuzz(arguments)


def _fuzz(arguments: Arguments) -> None:
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED[arguments.target]):
        target: Callable[[bytes], None] = importlib.import_module(TARGETS[arguments.target]).target
    # Only now, for they import parts of what is watched.
    from tests.fuzz.checksums import mended  # noqa: PLC0415
    from tests.fuzz.seeds import seeds  # noqa: PLC0415

    folder = arguments.folder or Path(tempfile.gettempdir(), f"omnishotd-fuzz-{os.getuid()}", arguments.target)
    corpus = folder / "corpus"
    corpus.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, data in seeds().items():
        (corpus / name).write_bytes(data)
    print(f"corpus in {corpus}, findings in {folder}", file=sys.stderr)  # noqa: T201  # as libFuzzer itself reports

    def changed(data: bytes, length_max: int, _seed: int) -> bytes:
        return mended(atheris.Mutate(data, length_max))

    options = (
        f"-max_total_time={arguments.seconds}",
        f"-max_len={FILE_BYTES_MAX}",
        f"-timeout={FILE_SECONDS_MAX}",
        f"-rss_limit_mb={RSS_MIB_MAX}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    )
    atheris.Setup([sys.argv[0], *options, str(corpus)], target, custom_mutator=changed)
    atheris.Fuzz()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Give changed files to a part of omnishotd."
    )
    parser.add_argument("target", choices=tuple(TARGETS))
    parser.add_argument("--seconds", type=_seconds, default=SECONDS, help=f"default: {SECONDS}")
    parser.add_argument("--folder", type=Path, help="of findings, and of the corpus, with which the next run begins")
    parser.add_argument("--file", type=Path, nargs="+", default=[], help="in place of all that: give it these files")
    return parser


def _seconds(text: str) -> int:
    seconds = int(text)
    if not 1 <= seconds <= SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"{text} is not within 1..{SECONDS_MAX}")
    return seconds


if __name__ == "__main__":
    main()
