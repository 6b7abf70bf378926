"""Which pictures a command line means, and under which names their results are written."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
"""What is taken from a folder. A file that is named is taken whatever it is called."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One file to be processed; its results are written beside `target`, which has no suffix yet."""

    source: Path
    target: Path


class NoSuchPicture(Exception):
    """What was named does not exist or holds no picture."""


def collect(names: Sequence[str], out: Path) -> list[Picture]:
    """Find all pictures that files, patterns and folders mean, each once, and give each a target of its own.

    Targets never meet each other or an input: a number is put behind the name. A folder's own folders are kept. What
    lies in `out` is no input of a folder: it is the result of an earlier run.
    """
    found: dict[Path, tuple[Path, Path]] = {}
    for name in names:
        for source, relative in _meant(name, out.resolve()):
            found.setdefault(source.resolve(), (source, relative))
    taken = _reserved(found, out.resolve())
    return [Picture(source, out / _free(relative.with_suffix(""), taken)) for source, relative in found.values()]


def _meant(name: str, out: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each file and the path that its result has below `out`."""
    path = Path(name)
    if path.is_dir():
        yield from _in_folder(path, out)
    elif path.exists():
        yield path, Path(path.name)
    else:
        # Path.glob takes no absolute patterns.
        matches = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else []  # noqa: PTH207
        files = [Path(match) for match in matches if Path(match).is_file()]
        if not files:
            raise NoSuchPicture(f"{name}: no such file or folder")
        yield from ((file, Path(file.name)) for file in files)


def _in_folder(folder: Path, out: Path) -> Iterator[tuple[Path, Path]]:
    empty = True
    for parent, folders, files in os.walk(folder):
        inside = Path(parent)
        folders[:] = sorted(below for below in folders if (inside / below).resolve() != out)
        for file in sorted(files):
            if Path(file).suffix.lower() in SUFFIXES:
                empty = False
                yield inside / file, (inside / file).relative_to(folder)
    if empty:
        raise NoSuchPicture(f"{folder}: no pictures in it; looked for {' '.join(sorted(SUFFIXES))}")


def _reserved(sources: Iterable[Path], out: Path) -> set[Path]:
    """Return the names below `out` that would lead to an input being overwritten.

    A target `a` may become `a.jpg` or, of several outputs, `a-300x300.jpg`: of an input that lies below `out`, its
    name and each beginning of it that ends before a hyphen are reserved.
    """
    reserved = set()
    for source in sources:
        if source.is_relative_to(out):
            words = source.stem.split("-")
            folder = source.relative_to(out).parent
            reserved |= {folder / "-".join(words[:count]) for count in range(1, len(words) + 1)}
    return reserved


def _free(wanted: Path, taken: set[Path]) -> Path:
    target, number = wanted, 1
    while target in taken:
        number += 1
        target = wanted.with_name(f"{wanted.name}-{number}")
    taken.add(target)
    return target
