"""Whose eyes a file of secrets is for: by its mode, and by an access list as systemd sets it for credentials."""

import os
import struct
from pathlib import Path

import pytest

from ipc.secret import SecretUnusable, read_secret

READ, NOTHING = 4, 0
OWNER, USER, GROUP_OBJECT, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
NOBODY, STRANGER = 0xFFFFFFFF, 12345


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a secret, for its owner only."""
    secret = tmp_path / "secret"
    secret.write_text(" hidden\n")
    secret.chmod(0o600)
    return secret


def set_access_list(file: Path, *entries: tuple[int, int, int]) -> None:
    """Give a file an access list, by the bytes that the kernel takes."""
    packed = b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(file, "system.posix_acl_access", struct.pack("<I", 2) + packed)


def test_secret_is_read_without_the_white_space_around_it(file: Path) -> None:
    assert read_secret(file) == "hidden"


def test_file_that_is_longer_than_any_secret_is_refused_and_not_read_in_part(file: Path) -> None:
    file.write_text("x" * 4097)

    with pytest.raises(SecretUnusable, match="more than 4096 bytes"):
        read_secret(file)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644])
def test_file_that_others_may_touch_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)

    with pytest.raises(
        SecretUnusable, match=rf"may be read by others than its owner \(mode {mode:04o}, must be 0600\)"
    ):
        read_secret(file)


def test_file_whose_access_list_names_this_user_alone_is_read(file: Path) -> None:
    """So systemd hands credentials to the user of a service: with the mask where the group's bits stand."""
    us = os.geteuid()
    set_access_list(
        file,
        (OWNER, READ, NOBODY),
        (USER, READ, us),
        (GROUP_OBJECT, NOTHING, NOBODY),
        (MASK, READ, NOBODY),
        (OTHER, NOTHING, NOBODY),
    )

    assert file.stat().st_mode & 0o777 == 0o440
    assert read_secret(file) == "hidden"


@pytest.mark.parametrize(
    "entries",
    [
        [(USER, READ, STRANGER), (GROUP_OBJECT, NOTHING, NOBODY)],
        [(USER, READ, 0), (GROUP_OBJECT, READ, NOBODY)],
        [(USER, READ, 0), (GROUP_OBJECT, NOTHING, NOBODY), (GROUP, READ, STRANGER)],
    ],
    ids=["another user", "its group", "another group"],
)
def test_file_whose_access_list_lets_others_in_is_refused(file: Path, entries: list[tuple[int, int, int]]) -> None:
    set_access_list(file, (OWNER, READ, NOBODY), *entries, (MASK, READ, NOBODY), (OTHER, NOTHING, NOBODY))

    with pytest.raises(SecretUnusable, match="may be read by others"):
        read_secret(file)


def test_file_whose_access_list_lets_everybody_in_is_refused(file: Path) -> None:
    us = os.geteuid()
    set_access_list(
        file,
        (OWNER, READ, NOBODY),
        (USER, READ, us),
        (GROUP_OBJECT, NOTHING, NOBODY),
        (MASK, READ, NOBODY),
        (OTHER, READ, NOBODY),
    )

    with pytest.raises(SecretUnusable, match="may be read by others"):
        read_secret(file)
