"""Hosts and origins: the names that are this host's own, and the pages that may ask.

A page on another site can make a browser send requests to 127.0.0.1, and by DNS rebinding even read the answers; its
Host header gives it away, and of a WebSocket its Origin. Not starlette's TrustedHostMiddleware: in the oldest release
we accept it takes every IPv6 address for `[`, and it answers in plain text.
"""

import re
from collections.abc import Iterable
from typing import Final

LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")

_HOST: Final = re.compile(rb"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?")


class Hosts:
    """Names under which the control plane answers."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.lower().encode() for name in names)

    def are_meant(self, host: bytes) -> bool:
        """Tell whether a Host header names this host, on whatever port: a port may be forwarded."""
        parts = _HOST.fullmatch(host.lower())
        return parts is not None and parts[1] in self._names


class Origins:
    """Pages that may ask: this host's own, and those from `control.cors_origins`."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(origin.lower().encode() for origin in allowed)

    def may_ask(self, origin: bytes, host: bytes) -> bool:
        """Tell whether a page of `origin` may ask what was asked of `host`, which must be one of our own.

        Its own page has the host and port in its origin that the request was sent to. `null`, the origin of files and
        of sandboxed frames, is never this host's own.
        """
        origin = origin.lower()
        scheme, _, authority = origin.partition(b"://")
        is_own = scheme in {b"http", b"https"} and authority == host.lower()
        return is_own or origin in self._allowed


def as_host(address: str) -> str:
    """Write an address as it stands in a Host header."""
    return f"[{address}]" if ":" in address else address
