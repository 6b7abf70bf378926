"""Overlay: the file of a picture that the configuration names, read within bounds and known by its bytes."""

import os
import stat
from hashlib import blake2b
from pathlib import Path
from typing import Final

OVERLAYS_MAX: Final = 16
FILE_BYTES_MAX: Final = 4 << 20
_DIGEST_BYTES: Final = 8
"""As many as a worker can be told in one number."""


class OverlayUnusable(ValueError):
    """The file cannot be an overlay. The text is for the operator."""


def read_overlay(path: Path) -> bytes:
    """Read the file of an overlay. Raises `OverlayUnusable`, OSError."""
    # A named pipe would keep whoever opens it waiting for its other end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OverlayUnusable("is no regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as source:
            data = source.read(FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(data) > FILE_BYTES_MAX:
        raise OverlayUnusable(f"has more than {FILE_BYTES_MAX} bytes")
    return data


def digest_of(data: bytes) -> str:
    """Name a file by what it holds, in hexadecimal."""
    return blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()
