"""Token: the word by which operators are known, read once from its file."""

import re
from pathlib import Path
from typing import Final

from ipc.secret import SecretUnusable, read_secret

TOKEN: Final = re.compile(r"[A-Za-z0-9._-]{32,512}")


class TokenUnusable(SecretUnusable):
    """The file does not hold a token. The text is for the operator."""


def read_token(path: Path) -> str:
    """Read the token; white space around it does not count. Raises `TokenUnusable`, OSError."""
    try:
        text = read_secret(path)
    except SecretUnusable as error:
        raise TokenUnusable(str(error)) from None
    if not TOKEN.fullmatch(text):
        raise TokenUnusable(f"{path} must hold 32 to 512 letters, digits, dots, hyphens or underscores")
    return text
