"""The example configuration: every line of it is true, and what it shows as a default is one."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from omnishotd.cli import main
from omnishotd.config.schema import Configuration

EXAMPLE = Path(__file__).parents[2] / "systemd" / "omnishotd.toml"
NOT_DEFAULT = {("sandbox", "mode"), ("control", "token_file")}
OF_THIS_HOST = {("pipeline", "pools")}


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the unit gives to the service."""
    token = tmp_path / "token"
    token.write_text("x" * 40)
    token.chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))


def uncommented() -> str:
    """Return the example with all that it shows as a default in force."""
    return re.sub(r"^#([a-z_]+ = )", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)


def flat(tables: dict[str, dict[str, Any]]) -> dict[tuple[str, str], Any]:
    """Return all keys by their path."""
    return {(section, key): value for section, keys in tables.items() for key, value in keys.items()}


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("text", [EXAMPLE.read_text(), uncommented()], ids=["as it is", "with every line in force"])
def test_example_is_valid(tmp_path: Path, text: str) -> None:
    file = tmp_path / "omnishotd.toml"
    file.write_text(text)
    ended = CliRunner(env={name: None for name in os.environ if name.startswith("OMNISHOTD_")}).invoke(
        main, ["config", "check", "--config", str(file)]
    )

    assert ended.output == f"valid ({file})\n"
    assert ended.exit_code == 0


def test_example_shows_defaults_but_for_what_a_service_needs() -> None:
    defaults = flat(Configuration().model_dump())
    shown = flat(tomllib.loads(uncommented()))
    said = flat(tomllib.loads(EXAMPLE.read_text()))

    assert {key: value for key, value in shown.items() if key not in NOT_DEFAULT | OF_THIS_HOST} == {
        key: defaults[key] for key in shown if key not in NOT_DEFAULT | OF_THIS_HOST
    }
    assert said.keys() == NOT_DEFAULT | {("presets", "thumbnail")}
    assert all(said[key] != defaults[key] for key in NOT_DEFAULT)
