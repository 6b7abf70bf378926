"""The picture of a result."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from perf.plot import COLORS, draw
from tests.perf.made_up import results


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perf.plot.DOTS_PER_INCH", 40)


def colors_in(path: Path) -> set[str]:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    found, counts = np.unique(pixels, axis=0, return_counts=True)
    return {f"#{r:02x}{g:02x}{b:02x}" for (r, g, b), count in zip(found.tolist(), counts, strict=True) if count > 60}


def test_picture_has_a_color_for_each_contender(tmp_path: Path) -> None:
    draw(results(), tmp_path / "all.png")

    assert {COLORS[name] for name in results().contenders} <= colors_in(tmp_path / "all.png")


def test_contender_that_has_no_color_of_its_own_gets_one(tmp_path: Path) -> None:
    found = results()
    renamed = [
        msgspec.structs.replace(one, contender="new") if one.contender == "sharp" else one for one in found.series
    ]
    contenders = {name.replace("sharp", "new"): about for name, about in found.contenders.items()}
    draw(msgspec.structs.replace(found, series=renamed, contenders=contenders, alone={}), tmp_path / "new.png")

    assert "#a0522d" in colors_in(tmp_path / "new.png")
    assert COLORS["sharp"] not in colors_in(tmp_path / "new.png")


def test_results_with_nothing_in_them_still_make_a_picture(tmp_path: Path) -> None:
    draw(msgspec.structs.replace(results(), series=[], alone={}), tmp_path / "none.png")

    assert (tmp_path / "none.png").stat().st_size > 1000
