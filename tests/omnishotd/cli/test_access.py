"""Which control plane a command asks, and with which token."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest

from omnishotd.cli.access import Access, find_access
from omnishotd.cli.program import Failure
from omnishotd.cli.token_file import TokenFile
from tests.omnishotd.cli.peer import WORD, Peer

OTHER = "b" * 40
"""Another token."""


def written_token(path: Path, word: str) -> Path:
    """Write a token as its file has to be."""
    path.touch(mode=0o600)
    path.write_text(word)
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with a token, such as `omnishotd serve` would take."""
    written_token(tmp_path / "token", WORD)
    written = tmp_path / "omnishotd.toml"
    written.write_text(f'[control]\nport = 4000\ntoken_file = "{tmp_path}/token"\n')
    return written


def test_address_and_token_are_those_of_the_configuration(config: Path) -> None:
    access = find_access(None, config, None)

    assert access.url.geturl() == "http://127.0.0.1:4000"
    assert access.credentials() == {"Authorization": f"Bearer {WORD}"}


def test_token_that_is_named_goes_before_that_of_the_configuration(config: Path, tmp_path: Path) -> None:
    access = find_access(None, config, written_token(tmp_path / "other", OTHER))

    assert access.credentials() == {"Authorization": f"Bearer {OTHER}"}


def test_token_of_the_configuration_goes_to_no_address_but_its_own(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OMNISHOTD_CONTROL__TOKEN_FILE", str(tmp_path / "token"))

    assert find_access("http://127.0.0.1:9", None, None).credentials() == {}
    assert find_access("http://127.0.0.1:9", config, None).credentials() == {"Authorization": f"Bearer {WORD}"}
    assert find_access(None, None, None).credentials() == {"Authorization": f"Bearer {WORD}"}


def test_address_of_version_6_has_its_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNISHOTD_CONTROL__HOST", "::1")

    assert find_access(None, Path(os.devnull), None).url.geturl() == "http://[::1]:3000"


def test_port_that_the_system_chooses_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNISHOTD_CONTROL__PORT", "0")

    with pytest.raises(click.UsageError, match="say with --url which one it is"):
        find_access(None, Path(os.devnull), None)


def test_daemon_without_the_token_is_refused_with_what_to_do(tmp_path: Path) -> None:
    other = written_token(tmp_path / "other", OTHER)
    with Peer(token=WORD) as peer:
        with pytest.raises(Failure) as unnamed:
            find_access(peer.url, None, None).ask("/health", 5)
        with pytest.raises(Failure) as wrong:
            find_access(peer.url, None, other).ask("/health", 5)

    assert (unnamed.value.status, wrong.value.status) == (77, 77)
    assert unnamed.value.message == f"{peer.url}/health asks for a token: name its file with --token-file"
    assert wrong.value.message == f"{peer.url}/health does not take the token in {other}"


def test_token_that_only_others_may_read_is_named_in_the_refusal(locked_folder: Path) -> None:
    locked = TokenFile(locked_folder / "token", is_required=False)
    with Peer(token=WORD) as peer, pytest.raises(Failure) as refused:
        Access(urlsplit(peer.url), locked).ask("/health", 5)

    assert refused.value.status == 77
    assert f"asks for the token in {locked.path}, which cannot be read" in refused.value.message


def test_answer_that_is_none_is_told_with_its_own_words() -> None:
    with Peer() as peer:
        peer.error = "too many requests\x1b[2J" + "!" * 500
        with pytest.raises(Failure) as refused:
            find_access(peer.url, None, None).ask("/elsewhere", 5)

    assert refused.value.status == 69
    assert refused.value.message.startswith(f"{peer.url}/elsewhere answers with status 404: too many requests\\x1b[2J!")
    assert len(refused.value.message) < 300
