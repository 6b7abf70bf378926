"""Keys, as terminals send them."""

import pytest

from omnishotd.cli.keyboard import MEANINGS, Key, keys_in


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"", []),
        (b"q", [Key.QUIT]),
        (b"Q", [Key.QUIT]),
        (b"srp?", [Key.SORT, Key.REVERSE, Key.PAUSE, Key.KEYS]),
        (b"x\x00\xff\xc3\xb6 \r", []),
    ],
)
def test_keys_are_found_in_what_is_sent(sent: bytes, keys: list[Key]) -> None:
    assert list(keys_in(sent)) == keys


@pytest.mark.parametrize("sent", [b"\x1b[A", b"\x1bOp", b"\x1bOs", b"\x1b[1;5q", b"\x1b[15~", b"\x1bq", b"\x1b"])
def test_key_that_sends_a_sequence_means_nothing(sent: bytes) -> None:
    assert list(keys_in(sent)) == []
    assert list(keys_in(sent + b"\x1b[Bq"))[-1:] == [Key.QUIT]


def test_every_key_is_explained() -> None:
    assert list(MEANINGS) == list(Key)
