"""Overlays and presets in the configuration: files that must be pictures, names that must be there."""

import json
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from ipc.overlay import FILE_BYTES_MAX, OVERLAYS_MAX
from ipc.settings import OverlaySettings
from omnishotd.cli.config import config
from omnishotd.config import ConfigurationError, read, resolve
from omnishotd.config.overlays import PATH_BYTES_MAX
from tests.photographs import photograph_jpeg

ENVIRONMENT = {"RUNTIME_DIRECTORY": "/run/o"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration with the overlay `logo`, said relative to its folder."""
    (tmp_path / "logo.jpg").write_bytes(photograph_jpeg(16))
    written = tmp_path / "omnishotd.toml"
    written.write_text('[overlays.logo]\nfile = "logo.jpg"\n')
    return written


def overlays(file: Path, *assignments: str) -> dict[str, OverlaySettings]:
    return resolve(file, ENVIRONMENT, assignments).overlays


def problems(file: Path, assignments: Sequence[str] = (), *, is_to_serve: bool = True) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(file, ENVIRONMENT, assignments, is_to_serve=is_to_serve)
    return [f"{problem.key}: {problem.what}" for problem in caught.value.problems]


# ---- where


def test_overlay_in_a_file_begins_at_its_folder(
    file: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    assert overlays(file)["logo"].file == str(file.parent / "logo.jpg")


def test_overlay_of_a_file_that_is_named_relatively_is_absolute(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)

    assert overlays(Path(file.name))["logo"].file == str(file.parent / "logo.jpg")


@pytest.mark.parametrize("place", ["environment", "command line"])
def test_overlay_said_elsewhere_begins_at_the_current_folder(
    file: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "seal.jpg").write_bytes(photograph_jpeg(8))
    monkeypatch.chdir(elsewhere)
    is_environment = place == "environment"
    said = {"OMNISHOTD_OVERLAYS__LOGO__FILE": "seal.jpg"} if is_environment else {}
    assignments = [] if is_environment else ["overlays.logo.file=seal.jpg"]

    settings = resolve(file, {**ENVIRONMENT, **said}, assignments)
    assert settings.overlays["logo"].file == str(elsewhere / "seal.jpg")


def test_overlay_is_shown_by_its_whole_path(file: Path) -> None:
    shown = CliRunner().invoke(config, ["show", "--config", str(file)], env=ENVIRONMENT, standalone_mode=False)

    assert tomllib.loads(shown.output)["overlays"] == {"logo": {"file": str(file.parent / "logo.jpg")}}


# ---- what


def test_overlay_with_other_bytes_is_another(file: Path) -> None:
    before = overlays(file)
    assert overlays(file) == before
    (file.parent / "logo.jpg").write_bytes(photograph_jpeg(17))

    assert overlays(file)["logo"].file == before["logo"].file
    assert overlays(file)["logo"].digest != before["logo"].digest


def test_overlay_that_is_no_usable_file_is_refused_with_the_reason(file: Path) -> None:
    folder = file.parent
    folder.joinpath("text.png").write_text("no picture")
    folder.joinpath("broken.jpg").write_bytes(photograph_jpeg(16)[:20])
    with folder.joinpath("large.jpg").open("wb") as large:
        large.truncate(FILE_BYTES_MAX + 1)
    os.mkfifo(folder / "pipe.jpg")
    names = ["missing.jpg", "text.png", "broken.jpg", "large.jpg", "pipe.jpg", "."]
    file.write_text("".join(f'[overlays.o{at}]\nfile = "{name}"\n' for at, name in enumerate(names)))

    found = problems(file)
    assert [problem.partition(": ")[0] for problem in found] == [f"overlays.o{at}.file" for at in range(len(names))]
    reasons = ["No such file", "no known picture format", "no picture that is taken", "more than 4194304 bytes"]
    for problem, reason in zip(found, [*reasons, "is no regular file", "is no regular file"], strict=True):
        assert reason in problem


def test_overlay_over_the_limits_of_frames_is_refused(file: Path) -> None:
    [problem] = problems(file, ["frames.max_side=15", "presets={}"])

    assert problem.startswith("overlays.logo.file: ")
    assert "max_side" in problem


def test_overlays_beyond_their_number_are_refused(file: Path) -> None:
    file.write_text("".join(f'[overlays.o{at}]\nfile = "logo.jpg"\n' for at in range(OVERLAYS_MAX + 1)))

    assert problems(file) == [f"overlays: has {OVERLAYS_MAX + 1} entries, must have at most {OVERLAYS_MAX}"]


def test_overlay_whose_name_or_path_cannot_travel_is_refused(file: Path) -> None:
    named = problems(file, ['overlays={"a b"={file="x"}}'], is_to_serve=False)
    placed = problems(file, [f'overlays.logo.file="/{"x" * PATH_BYTES_MAX}"'], is_to_serve=False)

    assert named == ["overlays: 'a b' must be 1 to 64 letters, digits, dots, hyphens or underscores"]
    assert placed == [f"overlays.logo.file: has {PATH_BYTES_MAX + 1} bytes, must have at most {PATH_BYTES_MAX}"]


def test_path_with_a_null_character_is_no_path(file: Path) -> None:
    [problem] = problems(file, ['overlays.logo.file="a\\u0000b"'])

    assert problem.startswith("overlays.logo.file: ")


def test_who_only_asks_a_daemon_need_not_read_its_overlays(file: Path) -> None:
    (file.parent / "logo.jpg").unlink()

    assert read(file, ENVIRONMENT, is_to_serve=False).settings().overlays == {}


# ---- presets


def preset(operations: str, options: str = "") -> str:
    return f"presets={{marked={{outputs=[{{operations=[{operations}]{options}}}]}}}}"


def test_preset_may_name_an_overlay_of_the_configuration_and_no_other(file: Path) -> None:
    laid = preset('{op="composite", overlay="logo"}, {op="composite", overlay="seal"}')

    assert problems(file, [laid]) == [
        "presets.marked.outputs[0].operations[1].overlay: there is no overlay 'seal'; known: logo"
    ]
    assert list(overlays(file, preset('{op="composite", overlay="logo"}'))) == ["logo"]


def test_every_fault_of_a_preset_is_told_at_once(file: Path) -> None:
    wrong = preset('{op="sharpn"}, {op="resize", width=0}, {op="flip"}, {op="resize", width=99999}', ", quality=101")

    assert [problem.partition(": ")[0] for problem in problems(file, [wrong])] == [
        "presets.marked.outputs[0].operations[0].op",
        "presets.marked.outputs[0].operations[1].width",
        "presets.marked.outputs[0].operations[3].width",
        "presets.marked.outputs[0].quality",
    ]


def test_schema_describes_what_presets_may_be(file: Path) -> None:
    import jsonschema_rs  # noqa: PLC0415 - takes long

    shown = CliRunner().invoke(config, ["schema"], standalone_mode=False)
    schema = json.loads(shown.output)
    validator = jsonschema_rs.validator_for(schema)
    good = tomllib.loads(preset('{op="resize", width=10}, {op="flip"}', ', format="webp", effort=3'))
    bad = tomllib.loads(preset('{op="resize", width=10}', ', format="webp", compression=3'))

    assert validator.is_valid(good)
    assert not validator.is_valid(bad)
    assert validator.is_valid(tomllib.loads(file.read_text()))
