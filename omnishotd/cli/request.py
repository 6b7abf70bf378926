"""What the command line asks of every picture, in the terms of a producer's request."""

import re
from dataclasses import dataclass
from typing import Any, Final

import click

from omnishotd.cli.steps import read_operations
from omnishotd.cli.wanted import Wanted

OUTPUTS_MAX: Final = 8
BELONGS_TO: Final = {
    "quality": ("jpeg", "webp", "avif"),
    "max_bytes": ("jpeg", "webp", "avif"),
    "lossless": ("webp",),
    "effort": ("webp", "avif"),
    "progressive": ("jpeg",),
    "metadata": ("jpeg", "png", "webp", "avif"),
}
"""Formats that know an option. It is left out for others of the same command, and an error where none is left."""

_LOSSLESS_EXCLUDES: Final = ("quality", "max_bytes")
_SIZE: Final = re.compile(r"(\d{1,5})?x(\d{1,5})?")
_BYTES: Final = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)([kM]?)")
_UNITS: Final = {"": 1, "k": 1_000, "M": 1_000_000}


@dataclass(frozen=True, slots=True)
class Request:
    """What to make of every picture: outputs, or the name of a preset; and how results of several are told apart."""

    outputs: tuple[dict[str, Any], ...] | None
    preset: str | None
    labels: tuple[str, ...] = ()
    """What stands behind the name of each result; none where they are numbered."""
    page: int | None = None
    """Which picture of a file that has several."""

    def label(self, index: int, count: int) -> str:
        """Return what stands behind a result's name: nothing where there is only one."""
        if self.labels:
            return self.labels[index]
        return "" if count == 1 else f"-{index + 1}"


def requested(wanted: Wanted, page: int | None = None) -> Request:
    """Build what is asked of the daemon from the command line's options. Raises click.UsageError."""
    given = wanted.given()
    if wanted.preset is not None:
        if given:
            raise click.UsageError(f"--preset says all of what to make, it excludes {given[0]}")
        return Request(None, wanted.preset, page=page)
    if not given:
        raise click.UsageError("say what to make: --preset NAME, or --resize WxH, --operations, --format, --quality")
    encodings = _encodings(wanted)
    chains = _chains(wanted)
    if len(chains) * len(encodings) > OUTPUTS_MAX:
        told = f"{len(chains)} sizes in {len(encodings)} formats are"
        raise click.UsageError(f"{told} more than {OUTPUTS_MAX} results of a picture")
    return Request(
        tuple({"operations": steps, **encoding} for steps in chains.values() for encoding in encodings),
        None,
        tuple(f"-{name}" if len(chains) > 1 else "" for name in chains for _ in encodings),
        page,
    )


def _chains(wanted: Wanted) -> dict[str, list[dict[str, Any]]]:
    """Return the operations of each result, by the size that was asked for."""
    if wanted.operations is not None:
        if wanted.sizes:
            raise click.UsageError("--operations says all of what to do, it excludes --resize")
        if wanted.fit is not None:
            raise click.UsageError("--operations says all of what to do, it excludes --fit")
        return {"": read_operations(wanted.operations)}
    if wanted.fit is not None and not wanted.sizes:
        raise click.UsageError("--fit needs --resize")
    _refuse_twice("--resize", "size", wanted.sizes)
    upright = {"op": "auto_orient"}
    return {size: [upright, _resize(size, wanted.fit)] for size in wanted.sizes} or {"": [upright]}


def _encodings(wanted: Wanted) -> list[dict[str, Any]]:
    """Return each format with those of the options that belong to it."""
    formats = wanted.formats or ("jpeg",)
    _refuse_twice("--format", "format", formats)
    values = {
        "quality": wanted.quality,
        "max_bytes": None if wanted.max_bytes is None else _bytes(wanted.max_bytes),
        "lossless": wanted.lossless or None,
        "effort": wanted.effort,
        "progressive": wanted.progressive or None,
        "metadata": wanted.metadata,
    }
    options = {name: value for name, value in values.items() if value is not None}
    taken = {form: {name: value for name, value in options.items() if _takes(form, name, wanted)} for form in formats}
    for name in options:
        if not any(name in kept for kept in taken.values()):
            raise click.UsageError(_unused(name, formats, wanted))
    return [{"format": form, **kept} for form, kept in taken.items()]


def _takes(form: str, name: str, wanted: Wanted) -> bool:
    is_lossless = wanted.lossless and form in BELONGS_TO["lossless"]
    return form in BELONGS_TO[name] and not (is_lossless and name in _LOSSLESS_EXCLUDES)


def _unused(name: str, formats: tuple[str, ...], wanted: Wanted) -> str:
    option = f"--{name.replace('_', '-')}"
    if wanted.lossless and any(form in BELONGS_TO[name] for form in formats):
        return f"--lossless excludes {option}"
    return f"{option} belongs to {', '.join(BELONGS_TO[name])}, and not to {', '.join(formats)}"


def _refuse_twice(option: str, what: str, values: tuple[str, ...]) -> None:
    if len(set(values)) < len(values):
        raise click.UsageError(f"{option}: the same {what} is given twice")


def _resize(size: str, fit: str | None) -> dict[str, Any]:
    match = _SIZE.fullmatch(size)
    if match is None or not any(match.groups()):
        raise click.UsageError(f"--resize: {size!r} is not WxH, as 300x300, 800x or x600")
    sides = {name: int(text) for name, text in zip(("width", "height"), match.groups(), strict=True) if text}
    if 0 in sides.values():
        raise click.UsageError(f"--resize: {size!r} has a side of 0")
    return {"op": "resize", **sides} | ({"fit": fit} if fit is not None else {})


def _bytes(text: str) -> int:
    match = _BYTES.fullmatch(text)
    count = round(float(match[1]) * _UNITS[match[2]]) if match is not None else 0
    if count == 0:
        raise click.UsageError(f"--max-bytes: {text!r} is no size, as 300000, 200k or 1.5M")
    return count
