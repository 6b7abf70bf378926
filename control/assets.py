"""Assets: the files of the page, as they lie in the package. No path of a request ever becomes a path of a file."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""By ending. What ends otherwise is no part of the page."""

_INDEX: Final = "index.html"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    body: bytes
    media_type: str
    etag: str
    """Of this content, with its quotes, as it stands in the headers `ETag` and `If-None-Match`."""


def asset(path: str) -> Asset | None:
    """Find what a request's path names, `/` or `/page/NAME`; None if that is nothing."""
    return _assets().get(path)


@cache
def _assets() -> dict[str, Asset]:
    """Read all files, at the first request: most daemons are never looked at."""
    folder = resources.files("control") / "page"
    found = {
        "/" if file.name == _INDEX else f"/page/{file.name}": _read(file.read_bytes(), media_type)
        for file in folder.iterdir()
        if (media_type := MEDIA_TYPES.get(_ending(file.name)))
    }
    if "/" not in found:
        raise FileNotFoundError(f"{folder}: has no {_INDEX}")
    return found


def _read(body: bytes, media_type: str) -> Asset:
    return Asset(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _ending(name: str) -> str:
    return name[name.rfind(".") :]
