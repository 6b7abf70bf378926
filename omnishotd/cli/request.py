"""What the command line asks of every picture, in the terms of a producer's request."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

FITS: Final = ("cover", "contain", "fill", "inside", "outside")
FORMATS: Final = ("jpeg", "raw")
_SIZE: Final = re.compile(r"(\d{1,5})?x(\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Request:
    """What to make of every picture: outputs, or the name of a preset; and how results of several are told apart."""

    outputs: tuple[dict[str, Any], ...] | None
    preset: str | None
    labels: tuple[str, ...] = ()

    def label(self, index: int, count: int) -> str:
        """Return what stands behind a result's name: nothing where there is only one."""
        if count == 1:
            return ""
        return f"-{self.labels[index] if index < len(self.labels) else index + 1}"


def requested(
    preset: str | None, sizes: Sequence[str], fit: str | None, quality: int | None, form: str | None
) -> Request:
    """Build what is asked of the daemon from the command line's options."""
    own = [name for name, value in {"fit": fit, "quality": quality, "format": form, "resize": sizes}.items() if value]
    if preset is not None:
        if own:
            raise click.UsageError(f"--preset says all of what to make, it excludes --{own[0]}")
        return Request(None, preset)
    if not own:
        raise click.UsageError("say what to make: --preset NAME, or --resize WxH, --quality, --format")
    if fit is not None and not sizes:
        raise click.UsageError("--fit needs --resize")
    if len(set(sizes)) < len(sizes):
        raise click.UsageError("--resize: the same size is given twice")
    encoding: dict[str, Any] = {"format": form or "jpeg"} | ({"quality": quality} if quality is not None else {})
    resizes: list[dict[str, Any] | None] = [_resize(size, fit) for size in sizes] or [None]
    outputs = tuple(
        {"operations": [{"op": "auto_orient"}] + ([resize] if resize is not None else []), **encoding}
        for resize in resizes
    )
    return Request(outputs, None, tuple(sizes))


def _resize(size: str, fit: str | None) -> dict[str, Any]:
    match = _SIZE.fullmatch(size)
    if match is None or not any(match.groups()):
        raise click.UsageError(f"--resize: {size!r} is not WxH, as 300x300, 800x or x600")
    sides = {name: int(text) for name, text in zip(("width", "height"), match.groups(), strict=True) if text}
    if 0 in sides.values():
        raise click.UsageError(f"--resize: {size!r} has a side of 0")
    return {"op": "resize", **sides} | ({"fit": fit} if fit is not None else {})
