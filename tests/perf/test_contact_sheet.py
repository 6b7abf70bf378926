"""The contact sheet: every example is made, what has none is named, what fails is told."""

from pathlib import Path

import msgspec
import pytest
from PIL import Image

from omnishotd.client import Blur, Flip
from perf.contact_examples import EXAMPLES, FRAME, OVERLAY, Example
from perf.contact_sheet import COLUMNS, Tile, main, sheet, without_example
from stages.encodings import FORMATS
from stages.limits import Limits
from stages.operations import OPERATIONS
from stages.outputs import parse_outputs

LIMITS = Limits(max_side=16_383, max_pixels=50_000_000)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.title} {example.parameters}")
def test_example_is_what_the_stages_take(example: Example) -> None:
    (output,) = parse_outputs(msgspec.msgpack.encode([example.output.to_map()]), LIMITS, [OVERLAY])

    assert example.title in {output.encoding.format, *(step.name for step in output.operations), "original"} or (
        example.is_sideways
    )


def test_every_format_is_shown() -> None:
    assert {example.title for example in EXAMPLES} >= set(FORMATS)


def test_operation_without_example_is_found() -> None:
    assert without_example([]) == sorted(OPERATIONS)
    assert without_example([Example((Blur(2), Flip()))]) == sorted(OPERATIONS.keys() - {"flip"})


def test_tiles_lie_in_rows_and_a_gap_is_named_in_place_of_a_picture() -> None:
    red = Tile("red", "", Image.new("RGB", (FRAME, FRAME), "red"), "")
    shown = sheet([red] * COLUMNS + [Tile("posterise", "", None, "no example")])
    row_height = (shown.height - 12) // 2

    assert shown.getpixel((12 + FRAME // 2, 12 + FRAME // 2)) == (255, 0, 0)
    assert shown.getpixel((12 + FRAME // 2, 12 + row_height + FRAME // 2)) == (236, 236, 236)
    named = shown.crop((12, 12 + row_height, 12 + FRAME, 12 + row_height + 60))
    assert len(named.getcolors() or ()) > 3


def test_sheet_of_a_real_daemon_has_a_tile_for_each_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sheet.png"

    assert main(["--out", str(out)]) == 0
    count = len(EXAMPLES) + len(without_example(EXAMPLES))
    assert f"{count} tiles: {out}" in capsys.readouterr().out
    with Image.open(out) as whole:
        assert whole.width > COLUMNS * FRAME
        assert whole.height > len(EXAMPLES) / COLUMNS * FRAME


def test_example_that_is_refused_is_told_and_ends_in_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perf.contact_sheet.EXAMPLES", (Example(()), Example((Blur(-1),))))

    assert main(["--out", str(tmp_path / "sheet.png")]) == 1
    told = capsys.readouterr().err
    assert "blur sigma -1: BAD_REQUEST: outputs[0].operations[1].sigma: " in told
    assert "flip: no example" in told
