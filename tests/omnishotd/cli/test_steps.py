"""Operations as JSON, and what is told where they are none."""

from pathlib import Path

import click
import pytest

from omnishotd.cli.steps import read_operations

STEPS = [{"op": "trim"}, {"op": "blur", "sigma": 2.5}]
TEXT = '[{"op": "trim"},\n {"op": "blur", "sigma": 2.5}]'


def test_list_is_read_from_the_command_line_and_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "steps.json").write_text(TEXT)

    assert read_operations(TEXT) == STEPS
    assert read_operations(f"@{tmp_path / 'steps.json'}") == STEPS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blur", "no JSON: Expecting value at line 1, column 1; a list is wanted, as "),
        ('[{"op": "blur",}]', "no JSON: .* at line 1, column 1[56]; a list is wanted, as "),
        ('{"op": "blur"}', "a list of operations is wanted, as "),
        ("[]", "a list of operations is wanted, as "),
        ('[{"op": "blur"}, "flip"]', r'\[1\] is no operation: a map with its name as "op" is wanted, as '),
        ('[{"sigma": 2}]', r'\[0\] is no operation: a map with its name as "op" is wanted, as '),
        ("[" * 100_000, "nested too deeply"),
        ('[{"op": "blur", "sigma": ' + "1" * 5000 + "}]", "no JSON: a number is too long"),
        ("@nowhere.json", "nowhere.json: No such file or directory"),
        ("@.", r"\.: Is a directory"),
        ("@long", "long: longer than 65536 bytes"),
        ("@latin", "latin: no text in UTF-8"),
    ],
)
def test_what_is_no_list_of_operations_is_refused_with_its_place(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("long").write_bytes(b" " * 65_537)
    Path("latin").write_bytes(b'["\xe4"]')

    with pytest.raises(click.UsageError, match=f"^--operations: {message}"):
        read_operations(text)
