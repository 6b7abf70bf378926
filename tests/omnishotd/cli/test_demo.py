"""`omnishotd demo`, the whole way."""

from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from omnishotd.cli import main
from tests.omnishotd.cli.written import sizes
from tests.photographs import JPEGS


@pytest.mark.usefixtures("alone")
def test_demo_writes_pictures_and_prints_their_way(tmp_path: Path) -> None:
    ended = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "out")])

    assert ended.exit_code == 0, ended.output
    names = ("astronaut.png", "coffee.png", *JPEGS)
    assert Counter(Path(name).suffix for name in sizes(tmp_path / "out")) == dict.fromkeys(
        (".jpg", ".webp", ".avif"), 2 * len(names)
    )
    told = (*names, " jpeg, ", " webp, ", " avif, ", "queue", "decode", "transform", "encode", "total")
    assert [word for word in told if word not in ended.stdout] == []
    assert "public domain" in ended.stdout


@pytest.mark.usefixtures("alone")
def test_demo_takes_photographs_of_a_folder(folder: Path) -> None:
    ended = CliRunner().invoke(main, ["demo", "--photographs", str(folder / "in"), "--out", str(folder / "out")])

    assert ended.exit_code == 0, ended.output
    assert "public domain" not in ended.stdout


def test_demo_without_photographs_says_how_to_get_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnishotd.cli.demo.find_spec", lambda _name: None)

    ended = CliRunner().invoke(main, ["demo"])

    assert ended.exit_code == 2
    assert "--photographs DIR" in ended.stderr
