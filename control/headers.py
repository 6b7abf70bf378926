"""Security headers: what every answer carries, errors included."""

from collections.abc import Iterable
from typing import Final

Header = tuple[bytes, bytes]

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""The page loads its own scripts and styles, nothing from anywhere else, and never makes markup of text."""

SECURITY_HEADERS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


def with_security(headers: Iterable[Header]) -> list[Header]:
    """Add what an answer has not set itself."""
    own = list(headers)
    present = {name for name, _ in own}
    return [*own, *(header for header in SECURITY_HEADERS if header[0] not in present)]
