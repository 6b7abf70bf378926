"""Secrets in the configuration: where they are read, and who gets to know them."""

import os
from pathlib import Path

import pytest

from omnishotd.config import ConfigurationError, read, resolve

EMPTY = Path(os.devnull)


def problems(assignments: tuple[str, ...]) -> list[str]:
    """All that is told of a configuration."""
    try:
        resolve(EMPTY, {}, assignments)
    except ConfigurationError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("text", "mode", "problem"),
    [
        ("x" * 32 + "\n", 0o600, None),
        ("x" * 32, 0o640, "may be read by others than its owner (mode 0640, must be 0600)"),
        ("x" * 31, 0o600, "must hold 32 to 512 letters, digits, dots, hyphens or underscores"),
        ("two words, and of more than 32 characters", 0o600, "must hold 32 to 512 letters"),
        ("x" * 600, 0o600, "must hold 32 to 512 letters"),
        ("x" * 5000, 0o600, "has more than 4096 bytes"),
    ],
)
def test_token_file_is_read_when_the_configuration_is(
    tmp_path: Path, text: str, mode: int, problem: str | None
) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(mode)
    assignments = (f"control.token_file={file}", "control.host=0.0.0.0")
    if problem is None:
        assert resolve(EMPTY, {}, assignments).control.token_file == str(file)
    else:
        found = problems(assignments=assignments)
        assert [line for line in found if line.startswith(f"control.token_file: {file}") and problem in line]
        assert not any(text in line for line in found)


def test_secrets_are_kept_from_those_who_have_no_use_for_them() -> None:
    settings = resolve(EMPTY, {}, ("alerts.webhook_url=https://example/secret",))
    told = settings.without_secrets()

    assert (told.control.token_file, told.alerts.webhook_url) == ("", "")
    assert settings.alerts.webhook_url == "https://example/secret"
    assert told.frames == settings.frames


def test_who_only_asks_a_daemon_need_not_be_able_to_read_its_token() -> None:
    missing = "/nowhere/token"
    resolution = read(EMPTY, {}, (f"control.token_file={missing}",), is_to_serve=False)

    assert resolution.configuration.control.token_file == missing


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    """A folder with a token, as systemd makes it for a service."""
    token = tmp_path / "token"
    token.write_text("x" * 40)
    token.chmod(0o400)
    return tmp_path


def test_credentials_directory_stands_in_paths_of_secrets(credentials: Path) -> None:
    said = ("control.token_file=$CREDENTIALS_DIRECTORY/token",)
    settings = resolve(EMPTY, {"CREDENTIALS_DIRECTORY": str(credentials)}, said)

    assert settings.control.token_file == f"{credentials}/token"


def test_credential_that_is_missing_is_told_by_its_whole_path(runtime_directory: Path) -> None:
    said = ("control.token_file=$CREDENTIALS_DIRECTORY/other",)
    with pytest.raises(ConfigurationError) as caught:
        resolve(EMPTY, {"CREDENTIALS_DIRECTORY": str(runtime_directory)}, said)

    assert f"'{runtime_directory}/other' cannot be read: No such file or directory" in str(caught.value)


def test_credentials_are_looked_for_where_the_unit_takes_them_from_outside_of_a_service() -> None:
    said = (
        "control.token_file=$CREDENTIALS_DIRECTORY/token",
        "frames.curve_secret_key_file=$CREDENTIALS_DIRECTORY/curve.secret",
    )
    settings = read(EMPTY, {}, said, is_to_serve=False).settings()

    assert settings.control.token_file == "/etc/omnishotd/token"  # noqa: S105 - its file
    assert settings.frames.curve_secret_key_file == "/etc/omnishotd/curve.secret"  # noqa: S105 - its file


def test_configuration_is_shown_as_it_was_said(credentials: Path) -> None:
    said = "$CREDENTIALS_DIRECTORY/token"
    resolution = read(EMPTY, {"CREDENTIALS_DIRECTORY": str(credentials)}, (f"control.token_file={said}",))

    assert resolution.configuration.control.token_file == said
