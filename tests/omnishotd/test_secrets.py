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
        ("x" * 5000, 0o600, "must hold 32 to 512 letters"),
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
