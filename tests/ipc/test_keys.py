"""Keys in files: what is taken, what is refused, and which file is at fault."""

import os
from pathlib import Path

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from zmq.utils import z85

from ipc.keys import KEYS_MAX, KeyUnusable, is_key, read_public_keys, read_secret_key

KEY = zmq.curve_keypair()[0].decode()


def written(folder: Path, name: str, text: str, mode: int = 0o600) -> Path:
    """Write a file."""
    file = folder / name
    file.write_text(text)
    file.chmod(mode)
    return file


@given(st.binary(min_size=32, max_size=32))
def test_whatever_pyzmq_writes_is_a_key(raw: bytes) -> None:
    assert is_key(z85.encode(raw).decode())


@pytest.mark.parametrize(
    "text",
    ["", KEY[:-1], KEY + "0", '"' * 40, "é" * 40, "#" * 40],
    ids=["empty", "short", "long", "no Z85", "not ASCII", "over 32 bits"],
)
def test_text_that_is_no_key_is_told_from_one(text: str) -> None:
    assert not is_key(text)


def test_public_keys_of_a_folder_are_named_by_their_files_and_other_files_do_not_count(tmp_path: Path) -> None:
    other = zmq.curve_keypair()[0].decode()
    written(tmp_path, "camera-7.key", f"{KEY}\n")
    written(tmp_path, "gate.key", other)
    written(tmp_path, "gate.secret", "not looked at")
    (tmp_path / "old").mkdir()

    assert read_public_keys(tmp_path) == {KEY: "camera-7", other: "gate"}


def test_empty_folder_holds_no_keys(tmp_path: Path) -> None:
    assert read_public_keys(tmp_path) == {}


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("bad.key", "x", "must hold a public key"),
        ("bad.key", f"{KEY}\n{KEY}", "must hold a public key"),
        ("bad.key", "\x00" * 100_000, "must hold a public key"),
        ("a b.key", KEY, "must be called by"),
        ("z.key", KEY, "holds the same key as a.key"),
    ],
    ids=["no key", "two keys", "long", "name", "twice"],
)
def test_one_bad_file_in_the_folder_is_named(tmp_path: Path, name: str, text: str, what: str) -> None:
    written(tmp_path, "a.key", KEY)
    written(tmp_path, name, text)
    with pytest.raises(KeyUnusable, match=what) as caught:
        read_public_keys(tmp_path)

    assert str(tmp_path / name) in str(caught.value)


def test_pipe_in_the_folder_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.key")
    with pytest.raises(KeyUnusable, match=r"pipe\.key is no file"):
        read_public_keys(tmp_path)


def test_more_keys_than_the_bound_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipc.keys.KEYS_MAX", 2)
    for number in range(3):
        written(tmp_path, f"{number}.key", zmq.curve_keypair()[0].decode())
    with pytest.raises(KeyUnusable, match="more than 2 keys"):
        read_public_keys(tmp_path)

    assert KEYS_MAX == 10_000


def test_secret_key_of_this_user_alone_is_read(tmp_path: Path) -> None:
    assert read_secret_key(written(tmp_path, "s", f"{KEY}\n")) == KEY


@pytest.mark.parametrize(
    ("text", "mode", "what"),
    [
        (KEY, 0o640, "may be read by others than its owner (mode 0640, must be 0600)"),
        (KEY, 0o604, "may be read by others than its owner (mode 0604, must be 0600)"),
        ("x", 0o600, "must hold a secret key"),
        ("#" * 40, 0o600, "must hold a secret key"),
    ],
    ids=["group", "others", "short", "no key"],
)
def test_secret_key_that_others_may_read_or_that_is_none_is_refused(
    tmp_path: Path, text: str, mode: int, what: str
) -> None:
    with pytest.raises(KeyUnusable) as caught:
        read_secret_key(written(tmp_path, "s", text, mode))

    assert what in str(caught.value)
    assert KEY not in str(caught.value)


def test_secret_key_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, "s", KEY)
    if os.geteuid() == 0:
        os.chown(file, 4711, -1)
    else:
        monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    with pytest.raises(KeyUnusable, match="belongs to another user"):
        read_secret_key(file)
