"""Reading the file that holds the operators' token."""

import os
from pathlib import Path

import pytest

from omnishotd.cli.program import Failure
from omnishotd.cli.token_file import TokenFile
from tests.omnishotd.cli.peer import WORD


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "token"
    written.touch(mode=0o600)
    written.write_text(f"{WORD}\n")
    return written


def test_token_is_read_anew_each_time(path: Path) -> None:
    file = TokenFile(path, is_required=True)
    first = file.read()
    path.write_text(WORD[::-1])

    assert (first, file.read()) == (WORD, WORD[::-1])
    assert TokenFile(path, is_required=False).read() == WORD[::-1]


def test_file_that_holds_no_token_is_refused_with_its_name(path: Path) -> None:
    path.write_text("short")

    with pytest.raises(Failure) as refused:
        TokenFile(path, is_required=False).read()

    assert refused.value.status == os.EX_NOPERM
    assert refused.value.message.startswith(f"token file: {path} must hold 32 to 512 letters")


@pytest.mark.parametrize(("name", "why"), [("none", "No such file or directory"), ("", "Is a directory")])
def test_file_that_is_named_and_is_none_is_refused(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(Failure) as refused:
        TokenFile(tmp_path / name, is_required=True).read()

    assert refused.value.status == os.EX_NOPERM
    assert refused.value.message == f"token file: {tmp_path / name}: {why}"


def test_file_of_another_user_is_passed_over_unless_it_is_named(locked_folder: Path) -> None:
    locked = locked_folder / "token"

    assert TokenFile(locked, is_required=False).read() is None
    with pytest.raises(Failure, match="Permission denied"):
        TokenFile(locked, is_required=True).read()
