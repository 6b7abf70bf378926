"""What `omnishotd process` makes: formats, options and operations, from files to files."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageColor

from omnishotd.cli import main
from tests.omnishotd.cli.written import sizes
from tests.photographs import JPEGS, photograph_image, photograph_jpeg


def run(endpoint: str, *arguments: str) -> Result:
    """Run the command with the daemon of the module."""
    return CliRunner().invoke(main, ["process", *arguments, "--endpoint", endpoint])


def written(folder: Path, name: str, **options: Any) -> Path:
    """A file of a photograph, in the format of its name."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    photograph_image("coffee.png").save(file, **options)
    return file


def test_pictures_of_every_format_of_a_folder_become_pictures_of_every_format(endpoint: str, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.png", "c.webp", "d.avif", "e.gif"):
        written(tmp_path / "in", name)
    formats = [part for form in ("jpeg", "png", "webp", "avif") for part in ("--format", form)]

    ended = run(endpoint, str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--resize", "60x40", *formats)

    assert ended.exit_code == 0, ended.output
    made = {f"{stem}{suffix}" for stem in "abcde" for suffix in (".jpg", ".png", ".webp", ".avif")}
    assert sizes(tmp_path / "out") == dict.fromkeys(made, (60, 40))
    for file in (tmp_path / "out").iterdir():
        with Image.open(file) as picture:
            assert str(picture.format).lower() == file.suffix[1:].replace("jpg", "jpeg")


def test_pictures_of_equal_stems_do_not_overwrite_each_other(endpoint: str, tmp_path: Path) -> None:
    written(tmp_path / "in", "photo.png")
    (tmp_path / "in" / "photo.jpg").write_bytes(photograph_jpeg(50))

    ended = run(endpoint, str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--format", "png")

    assert ended.exit_code == 0, ended.output
    assert sizes(tmp_path / "out") == {"photo.png": (50, 50), "photo-png.png": (600, 400)}


def test_raw_pixels_are_written_as_they_are_and_their_layout_is_told(endpoint: str, folder: Path) -> None:
    source = str(folder / "in" / "rocket.jpg")

    ended = run(endpoint, source, "--out", str(folder), "--resize", "4x3", "--format", "raw", "--json")

    assert ended.exit_code == 0, ended.output
    (output,) = json.loads(ended.stdout)["outputs"]
    assert (output["width"], output["height"], output["layout"]) == (4, 3, "RGB")
    assert (folder / "rocket.raw").stat().st_size == output["bytes"] == 4 * 3 * 3


def test_bound_of_bytes_is_kept_and_the_quality_that_it_took_is_told(endpoint: str, folder: Path) -> None:
    ended = run(
        endpoint, str(folder / "in" / "rocket.jpg"), "--out", str(folder / "out"), "--max-bytes", "20k", "--json"
    )

    assert ended.exit_code == 0, ended.output
    (output,) = json.loads(ended.stdout)["outputs"]
    assert 15_000 < output["bytes"] <= 20_000
    assert 1 <= output["quality"] < 80
    assert (folder / "out" / "rocket.jpg").stat().st_size == output["bytes"]


def test_copyright_stays_where_metadata_is_kept(endpoint: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x8298] = "(c) Somebody"
    file = written(tmp_path, "in.jpg", exif=exif)

    assert (
        run(endpoint, str(file), "--out", str(tmp_path / "kept"), "--quality", "80", "--metadata", "keep").exit_code
        == 0
    )
    assert run(endpoint, str(file), "--out", str(tmp_path / "stripped"), "--quality", "80").exit_code == 0
    with Image.open(tmp_path / "kept" / "in.jpg") as kept, Image.open(tmp_path / "stripped" / "in.jpg") as stripped:
        assert kept.getexif()[0x8298] == "(c) Somebody"
        assert not stripped.getexif()


def test_page_of_an_animation_is_what_is_processed(endpoint: str, tmp_path: Path) -> None:
    colors = ["red", "lime", "blue"]
    frames = [Image.new("RGB", (8, 8), color) for color in colors]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:])
    found = []
    for page in range(len(colors)):
        ended = run(
            endpoint, str(tmp_path / "in.gif"), "--out", str(tmp_path / "out"), "--format", "png", "--page", str(page)
        )
        assert ended.exit_code == 0, ended.output
        with Image.open(tmp_path / "out" / "in.png") as picture:
            found.append(picture.convert("RGB").getpixel((4, 4)))

    assert found == [ImageColor.getrgb(color) for color in colors]


def test_page_that_there_is_not_fails_that_picture_alone(endpoint: str, folder: Path) -> None:
    ended = run(endpoint, str(folder / "in"), "--out", str(folder / "out"), "--resize", "9x", "--page", "7")

    assert ended.exit_code == 1
    assert ended.stderr.count(": BAD_REQUEST: input.page: ") == len(JPEGS)


def test_operations_of_a_file_are_done_in_their_order(endpoint: str, folder: Path) -> None:
    (folder / "steps.json").write_text(
        '[{"op": "extract", "left": 10, "top": 0, "width": 40, "height": 20}, {"op": "rotate", "angle": 90}]'
    )
    source = str(folder / "in" / "rocket.jpg")

    ended = run(endpoint, source, "--out", str(folder / "out"), "--operations", f"@{folder / 'steps.json'}")

    assert ended.exit_code == 0, ended.output
    assert sizes(folder / "out") == {"rocket.jpg": (20, 40)}


def test_operation_that_does_not_suit_one_picture_fails_that_one_alone(endpoint: str, folder: Path) -> None:
    steps = json.dumps([{"op": "extract", "left": 0, "top": 0, "width": 700, "height": 500}])

    ended = run(endpoint, str(folder / "in"), "--out", str(folder / "out"), "--operations", steps)

    assert ended.exit_code == 1
    assert sorted(sizes(folder / "out")) == ["hubble_deep_field.jpg", "retina.jpg"]
    assert ended.stderr.startswith(f"omnishotd: {folder / 'in' / 'rocket.jpg'}: BAD_REQUEST: outputs[0].operations[0]")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "thumbnial"], "--preset: the daemon has no 'thumbnial', did you mean thumbnail?"),
        (["--operations", '[{"op": "blurr"}]'], "--operations: the daemon has no 'blurr', did you mean blur?"),
        (
            ["--operations", '[{"op": "flip"}, {"op": "??"}]'],
            "--operations: the daemon has no '??'; it has: auto_orient, ",
        ),
        (["--operations", '[{"op": "blur", "sigma": -1}]'], "outputs[0].operations[0].sigma: "),
        (["--operations", '[{"op": "blur", "sigma": 1, "x": 2}]'], "outputs[0].operations[0].x: there is no such key"),
        (["--operations", '[{"op": "blur", "sigma": 99999999999999999999}]'], "header: "),
        (["--operations", json.dumps([{"op": "flip"}] * 65)], "outputs[0].operations: "),
        (["--operations", json.dumps([{"op": "blur", "sigma": 1}] * 400)], "header: "),
    ],
)
def test_request_that_is_wrong_for_every_picture_ends_in_status_2_and_one_line(
    arguments: list[str], message: str, endpoint: str, folder: Path
) -> None:
    ended = run(endpoint, str(folder / "in"), "--out", str(folder / "out"), *arguments)

    assert ended.exit_code == 2
    assert ended.stderr.startswith(f"omnishotd: {message}")
    assert ended.stderr.count("\n") == 1
    assert list((folder / "out").iterdir()) == []
