"""Keys: CURVE's, as they lie in files: 32 bytes written as 40 characters of Z85 (ZeroMQ's RFC 32) on one line.

A public key is in `NAME.key`, and NAME is what its producer is called; a secret key is in a file of one user's own.
"""

import os
import re
from pathlib import Path
from typing import Final

from ipc.secret import SecretUnusable, read_secret

PUBLIC_SUFFIX: Final = ".key"
KEYS_MAX: Final = 10_000
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_DIGIT: Final = {letter: digit for digit, letter in enumerate(_ALPHABET)}
_KEY_LENGTH: Final = 40
_GROUP_LENGTH: Final = 5
"""Characters that stand for 4 bytes."""


class KeyUnusable(ValueError):
    """A file does not hold a key, or is not as it must be. The text names it, and is for the operator."""


def is_key(text: str) -> bool:
    """Tell whether a text is a key, as Z85 writes it."""
    groups = (text[at : at + _GROUP_LENGTH] for at in range(0, _KEY_LENGTH, _GROUP_LENGTH))
    return len(text) == _KEY_LENGTH and all(letter in _DIGIT for letter in text) and all(map(_fits, groups))


def read_public_keys(folder: Path) -> dict[str, str]:
    """Read all `NAME.key` of a folder. Returns the names by key. Raises `KeyUnusable`, OSError."""
    names: dict[str, str] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix != PUBLIC_SUFFIX:
            continue
        if not file.is_file():
            raise KeyUnusable(f"{file} is no file")
        if not NAME.fullmatch(file.stem):
            raise KeyUnusable(f"{file} must be called by 1 to 64 letters, digits, dots, hyphens or underscores")
        key = _read_public_key(file)
        if key in names:
            raise KeyUnusable(f"{file} holds the same key as {names[key]}{PUBLIC_SUFFIX}")
        names[key] = file.stem
        if len(names) > KEYS_MAX:
            raise KeyUnusable(f"{folder} holds more than {KEYS_MAX} keys")
    return names


def read_secret_key(path: Path) -> str:
    """Read a secret key from a file that is this user's, or root's, alone. Raises `KeyUnusable`, OSError."""
    try:
        text = read_secret(path)
    except SecretUnusable as error:
        raise KeyUnusable(str(error)) from None
    owner = path.stat().st_uid
    if owner not in {0, os.geteuid()}:
        raise KeyUnusable(f"{path} belongs to another user (uid {owner})")
    if not is_key(text):
        raise KeyUnusable(f"{path} must hold a secret key, 40 characters of Z85, and nothing else")
    return text


def _read_public_key(path: Path) -> str:
    with path.open("rb") as source:
        text = source.read(_KEY_LENGTH * 2).decode("ascii", errors="replace").strip()
    if not is_key(text):
        raise KeyUnusable(f"{path} must hold a public key, 40 characters of Z85, and nothing else")
    return text


def _fits(group: str) -> bool:
    """Tell whether five digits to the base of 85 are a number of 32 bits."""
    value = 0
    for letter in group:
        value = value * len(_ALPHABET) + _DIGIT[letter]
    return value < 1 << 32
