"""Token: whether a request carries the operators' word.

Compared by digests of equal length, in constant time: how long a refusal takes tells nothing of the token.
"""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

from control.headers import Header

SUBPROTOCOL: Final = "omnishotd"
"""What the feed answers to a browser that offers `omnishotd` and `bearer.TOKEN`: it can set no other header."""

_SUBPROTOCOL_PREFIX: Final = b"bearer."


class Token:
    """The operators' word, as a digest."""

    def __init__(self, word: str) -> None:
        self._digest = _digest(word.encode())

    def is_shown_by(self, headers: Iterable[Header]) -> bool:
        """Tell whether a request's headers show the token, by `Authorization` or as a subprotocol of the feed."""
        words = [word for name, value in headers for word in _words(name, value)]
        # Shown twice, it must be right twice: which of two words counts would depend on who reads.
        return bool(words) and all(hmac.compare_digest(_digest(word), self._digest) for word in words)


def _words(name: bytes, value: bytes) -> list[bytes]:
    if name == b"authorization":
        scheme, _, word = value.partition(b" ")
        return [word.strip()] if scheme.lower() == b"bearer" else []
    if name == b"sec-websocket-protocol":
        offers = [offer.strip() for offer in value.split(b",")]
        return [offer.removeprefix(_SUBPROTOCOL_PREFIX) for offer in offers if offer.startswith(_SUBPROTOCOL_PREFIX)]
    return []


def _digest(word: bytes) -> bytes:
    return hashlib.sha256(word).digest()
