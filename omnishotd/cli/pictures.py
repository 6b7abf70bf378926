"""Which pictures a command line means, and under which names their results are written."""

import glob
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".gif"})
"""What is taken from a folder. A file that is named is taken whatever it is called."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One file to be processed; its results are written beside `target`, which has no suffix yet."""

    source: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Unsearched:
    """A folder that could not be read, and why."""

    folder: Path
    message: str


@dataclass(frozen=True, slots=True)
class Collected:
    """All that a command line means."""

    pictures: tuple[Picture, ...]
    unsearched: tuple[Unsearched, ...]


class NoSuchPicture(Exception):
    """What was named does not exist, holds no picture or is where the results go."""


def collect(names: Sequence[str], out: Path) -> Collected:
    """Find all pictures that files, patterns and folders mean, each once, and give each a target of its own.

    Targets never meet each other or an input: where one would, a number is put behind the name, or the original's
    suffix if that tells the two apart, as `photo-png`. A folder's own folders are kept. What lies in `out` is no input
    of a folder or of a pattern: it is the result of an earlier run.
    """
    found: dict[Path, tuple[Path, Path]] = {}
    unsearched: dict[Path, Unsearched] = {}
    for name in names:
        for each in _meant(name, out.resolve()):
            if isinstance(each, Unsearched):
                unsearched.setdefault(each.folder.resolve(), each)
            else:
                found.setdefault(each[0].resolve(), each)
    taken = _reserved(found, out.resolve())
    return Collected(
        tuple(Picture(source, out / _free(relative, taken)) for source, relative in found.values()),
        tuple(unsearched.values()),
    )


def _meant(name: str, out: Path) -> Iterator[tuple[Path, Path] | Unsearched]:
    """Yield each file and the path that its result has below `out`, and each folder that cannot be searched."""
    path = Path(name)
    if path.is_dir():
        if path.resolve() == out:
            raise NoSuchPicture(f"--out: {name} is a folder of originals; results would be the next run's originals")
        yield from _in_folder(path, out)
    elif path.exists():
        yield path, Path(path.name)
    else:
        # Path.glob takes no absolute patterns.
        matches = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else []  # noqa: PTH207
        files = [Path(match) for match in matches if Path(match).is_file()]
        if not files:
            raise NoSuchPicture(f"{name}: no such file or folder")
        originals = [file for file in files if not file.resolve().is_relative_to(out)]
        if not originals:
            raise NoSuchPicture(f"--out: all of {name} lies in it; results would be the next run's originals")
        yield from ((file, Path(file.name)) for file in originals)


def _in_folder(folder: Path, out: Path) -> Iterator[tuple[Path, Path] | Unsearched]:
    empty = True
    errors: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=errors.append):
        inside = Path(parent)
        folders[:] = sorted(below for below in folders if (inside / below).resolve() != out)
        for file in sorted(files):
            if Path(file).suffix.lower() in SUFFIXES and not _is_special(inside / file):
                empty = False
                yield inside / file, (inside / file).relative_to(folder)
    for error in errors:
        yield Unsearched(Path(str(error.filename)), error.strerror or str(error))
    if empty and not errors:
        raise NoSuchPicture(f"{folder}: no pictures in it; looked for {' '.join(sorted(SUFFIXES))}")


def _is_special(path: Path) -> bool:
    """Tell whether it is a pipe, a socket or a device. What cannot be looked at is told when it is read."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _reserved(sources: Iterable[Path], out: Path) -> dict[Path, str]:
    """Return the names below `out` that would lead to an input being overwritten, each with no suffix.

    A target `a` may become `a.jpg` or, of several outputs, `a-300x300.jpg`: of an input that lies below `out`, its
    name and each beginning of it that ends before a hyphen are reserved.
    """
    reserved: dict[Path, str] = {}
    for source in sources:
        if source.is_relative_to(out):
            words = source.stem.split("-")
            folder = source.relative_to(out).parent
            reserved |= {folder / "-".join(words[:count]): "" for count in range(1, len(words) + 1)}
    return reserved


def _free(original: Path, taken: dict[Path, str]) -> Path:
    """Find a target that is not `taken`, and take it; `taken` tells the suffix of each target's original."""
    suffix = original.suffix.lower()
    wanted = original.with_suffix("")
    if suffix and taken.get(wanted, "") not in {"", suffix}:
        wanted = wanted.with_name(f"{wanted.name}-{suffix[1:]}")
    target, number = wanted, 1
    while target in taken:
        number += 1
        target = wanted.with_name(f"{wanted.name}-{number}")
    taken[target] = suffix
    return target
