"""`omnishotd config`: what it prints can be read again."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from omnishotd.cli import main
from omnishotd.config import resolve


def test_shown_configuration_read_as_a_file_gives_the_same_settings(tmp_path: Path) -> None:
    changes = ["memory.arena_mb=300", "frames.rate_per_second=0.5", "presets.x.outputs=[{background=[1,2,3]}]"]
    options = [part for change in changes for part in ("--set", change)]
    shown = CliRunner().invoke(main, ["config", "show", "--config", os.devnull, *options])
    file = tmp_path / "omnishotd.toml"
    file.write_text(shown.stdout)

    assert shown.exit_code == 0
    assert resolve(file, {}) == resolve(Path(os.devnull), {}, changes)


def test_shown_value_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "o.toml"
    file.write_text("[pipeline]\nqueue_limit = 3\n[presets.'dotted.name']\noutputs = [{format = 'raw'}]\n")
    monkeypatch.setenv("OMNISHOTD_CONTROL__PORT", "4000")

    lines = (
        CliRunner()
        .invoke(main, ["config", "show", "--config", str(file), "--set", "memory.arena_mb=300"])
        .stdout.splitlines()
    )

    assert "port = 4000  # environment" in lines
    assert "arena_mb = 300  # command line" in lines
    assert f"queue_limit = 3  # {file}" in lines
    assert "max_side = 16383" in lines
    assert '[presets."dotted.name"]' in lines


def test_check_names_the_places_that_were_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "o.toml"
    file.write_text("[pipeline]\nqueue_limit = 3\n")
    monkeypatch.setenv("OMNISHOTD_CONTROL__PORT", "4000")

    ended = CliRunner().invoke(main, ["config", "check", "--config", str(file)])

    assert (ended.exit_code, ended.stdout) == (0, f"valid ({file}, environment)\n")


def test_schema_is_json_that_describes_every_section() -> None:
    schema = json.loads(CliRunner().invoke(main, ["config", "schema"]).stdout)

    assert set(schema["properties"]) == {
        "frames",
        "pipeline",
        "supervisor",
        "memory",
        "sandbox",
        "control",
        "alerts",
        "presets",
        "overlays",
    }
