"""Token: the word by which operators are known, read once from its file."""

import os
import re
from pathlib import Path
from typing import Final

TOKEN: Final = re.compile(r"[A-Za-z0-9._-]{32,512}")
FILE_BYTES_MAX: Final = 4096


class TokenUnusable(ValueError):
    """The file does not hold a token. The text is for the operator."""


def read_token(path: Path) -> str:
    """Read the token; white space around it does not count. Raises `TokenUnusable`, OSError."""
    with path.open("rb") as source:
        mode = os.fstat(source.fileno()).st_mode
        data = source.read(FILE_BYTES_MAX + 1)
    if mode & 0o077:
        raise TokenUnusable(f"{path} may be read by others than its owner (mode {mode & 0o777:04o}, must be 0600)")
    text = data.decode("ascii", errors="replace").strip()
    if not TOKEN.fullmatch(text):
        raise TokenUnusable(f"{path} must hold 32 to 512 letters, digits, dots, hyphens or underscores")
    return text
