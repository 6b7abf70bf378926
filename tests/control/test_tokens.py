"""Showing the token."""

import pytest

from control.tokens import Token

WORD = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer " + WORD.encode())],
        [(b"authorization", b"bearer  " + WORD.encode())],
        [(b"sec-websocket-protocol", b"omnishotd, bearer." + WORD.encode())],
        [(b"sec-websocket-protocol", b"omnishotd"), (b"sec-websocket-protocol", b"bearer." + WORD.encode())],
        [(b"authorization", b"Bearer " + WORD.encode()), (b"sec-websocket-protocol", b"bearer." + WORD.encode())],
    ],
)
def test_token_in_its_place_is_seen(headers: list[tuple[bytes, bytes]]) -> None:
    assert Token(WORD).is_shown_by(headers)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", WORD.encode())],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer " + WORD.upper().encode())],
        [(b"authorization", b"Bearer " + WORD.encode() + b"\xff")],
        [(b"sec-websocket-protocol", b"bearer.")],
        [(b"sec-websocket-protocol", b"Bearer." + WORD.encode())],
        [(b"authorization", b"Bearer " + WORD.encode()), (b"sec-websocket-protocol", b"bearer.x")],
        [(b"x-token", WORD.encode())],
    ],
)
def test_anything_else_is_not_the_token(headers: list[tuple[bytes, bytes]]) -> None:
    assert not Token(WORD).is_shown_by(headers)
