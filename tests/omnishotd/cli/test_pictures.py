"""Which files are meant, and that no result can meet another or an original."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnishotd.cli.pictures import NoSuchPicture, Picture, Unsearched, collect


def laid(folder: Path, *names: str) -> list[Path]:
    """Make files, with their folders."""
    files = [folder / name for name in names]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return files


def found(names: Sequence[str], out: Path) -> list[Picture]:
    """Return the pictures that names mean."""
    return list(collect(names, out).pictures)


def targets(pictures: list[Picture], out: Path) -> list[str]:
    """Return the targets below `out`."""
    return [str(picture.target.relative_to(out)) for picture in pictures]


def test_folder_is_searched_to_all_depths_for_pictures_of_every_format_and_keeps_its_folders(tmp_path: Path) -> None:
    laid(
        tmp_path / "in", "b.JPG", "a.jpeg", "deep/er/c.jpg", "notes.txt", "d.png", "e.WebP", "f.avif", "g.gif", "h.tif"
    )

    pictures = found([str(tmp_path / "in")], tmp_path / "out")

    assert targets(pictures, tmp_path / "out") == ["a", "b", "d", "e", "f", "g", "deep/er/c"]


def test_file_is_taken_whatever_it_is_called(tmp_path: Path) -> None:
    (file,) = laid(tmp_path, "picture")

    assert found([str(file)], tmp_path / "out") == [Picture(file, tmp_path / "out" / "picture")]


def test_pattern_is_expanded_where_the_shell_did_not(tmp_path: Path) -> None:
    laid(tmp_path, "x/a.jpg", "x/y/b.jpg", "x/c.txt")

    assert targets(found([str(tmp_path / "x/**/*.jpg")], tmp_path / "out"), tmp_path / "out") == ["a", "b"]


def test_file_whose_name_looks_like_a_pattern_is_itself(tmp_path: Path) -> None:
    (file,) = laid(tmp_path, "[a].jpg")

    assert [picture.source for picture in found([str(file)], tmp_path / "out")] == [file]


def test_same_file_named_twice_is_one_picture(tmp_path: Path) -> None:
    (file,) = laid(tmp_path, "in/a.jpg")

    assert len(found([str(file), str(tmp_path / "in"), str(tmp_path / "in" / ".." / "in" / "a.jpg")], tmp_path)) == 1


def test_equal_names_of_different_folders_are_numbered(tmp_path: Path) -> None:
    files = laid(tmp_path, "x/a.jpg", "y/a.jpg", "z/a.jpg", "z/a-2.jpg")

    assert targets(found([str(file) for file in files], tmp_path / "out"), tmp_path / "out") == [
        "a",
        "a-2",
        "a-3",
        "a-2-2",
    ]


def test_equal_stems_are_told_apart_by_their_suffixes(tmp_path: Path) -> None:
    laid(tmp_path / "in", "photo.PNG", "photo.jpg", "photo.webp", "photo-webp.jpg", "deep/photo.png")

    assert targets(found([str(tmp_path / "in")], tmp_path / "out"), tmp_path / "out") == [
        "photo-webp",
        "photo",
        "photo-jpg",
        "photo-webp-2",
        "deep/photo",
    ]


def test_originals_in_the_target_folder_keep_their_names_for_themselves(tmp_path: Path) -> None:
    laid(tmp_path, "a.jpg", "b.jpg", "b-2-300x300.jpg")

    names = targets(
        found([str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg"), str(tmp_path / "b-2-300x300.jpg")], tmp_path),
        tmp_path,
    )

    assert names == ["a-2", "b-3", "b-2-300x300-2"]


def test_results_of_an_earlier_run_inside_the_folder_are_no_pictures(tmp_path: Path) -> None:
    laid(tmp_path, "a.jpg", "out/a.jpg")

    assert targets(found([str(tmp_path)], tmp_path / "out"), tmp_path / "out") == ["a"]


def test_results_of_an_earlier_run_are_no_pictures_of_a_pattern_that_searches(tmp_path: Path) -> None:
    laid(tmp_path, "a.jpg", "out/a.jpg", "out/deep/b.jpg")

    assert targets(found([str(tmp_path / "**/*.jpg")], tmp_path / "out"), tmp_path / "out") == ["a"]


def test_results_of_an_earlier_run_are_no_pictures_of_a_pattern_of_one_level(tmp_path: Path) -> None:
    laid(tmp_path, "x/a.jpg", "out/a.jpg")

    assert targets(found([str(tmp_path / "*/*.jpg")], tmp_path / "out"), tmp_path / "out") == ["a"]


def test_pattern_of_which_all_lies_in_the_target_is_refused(tmp_path: Path) -> None:
    laid(tmp_path, "a.jpg", "a-2.jpg")

    with pytest.raises(NoSuchPicture, match=r"^--out: all of .*\*\.jpg lies in it"):
        collect([str(tmp_path / "*.jpg")], tmp_path)


def test_folder_of_originals_that_is_the_target_is_refused(tmp_path: Path) -> None:
    laid(tmp_path, "in/a.jpg")

    with pytest.raises(NoSuchPicture, match=r"^--out: .*in is a folder of originals"):
        collect([str(tmp_path / "in")], tmp_path / "in" / ".." / "in")


def test_what_is_no_regular_file_in_a_folder_is_no_picture(tmp_path: Path) -> None:
    laid(tmp_path, "in/a.jpg")
    os.mkfifo(tmp_path / "in" / "b.jpg")

    assert targets(found([str(tmp_path / "in")], tmp_path / "out"), tmp_path / "out") == ["a"]


def test_folder_that_cannot_be_searched_is_told_beside_the_pictures(locked_folder: Path) -> None:
    laid(locked_folder.parent, "a.jpg")

    collected = collect([str(locked_folder.parent)], locked_folder.parent / "out")

    assert [picture.source.name for picture in collected.pictures] == ["a.jpg"]
    assert collected.unsearched == (Unsearched(locked_folder, "Permission denied"),)


@pytest.mark.parametrize("name", ["none.jpg", "*.gif", "empty"])
def test_name_that_means_no_picture_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(NoSuchPicture, match=r"no such file or folder|no pictures in it"):
        collect([str(tmp_path / name)], tmp_path / "out")


@given(
    stems=st.lists(
        st.text("a2-.jpg", min_size=1, max_size=5).filter(lambda stem: stem.strip(".")), min_size=1, max_size=8
    ),
    folders=st.lists(st.sampled_from(["", "x", "y"]), min_size=8, max_size=8),
    suffixes=st.lists(st.sampled_from(["jpg", "JPG", "png"]), min_size=8, max_size=8),
    labels=st.sampled_from([[""], ["-1", "-2"], ["-2", "-a"]]),
)
def test_no_result_ever_meets_an_original_or_another(
    tmp_path_factory: pytest.TempPathFactory,
    stems: list[str],
    folders: list[str],
    suffixes: list[str],
    labels: list[str],
) -> None:
    root = tmp_path_factory.mktemp("in")
    names = zip(folders, stems, suffixes, strict=False)
    files = laid(root, *{f"{folder}/{stem}.{suffix}".lstrip("/") for folder, stem, suffix in names})

    pictures = found([str(file) for file in files], root)
    results = [f"{picture.target}{label}.{form}" for picture in pictures for label in labels for form in ("jpg", "png")]

    assert len(set(results)) == len(results)
    assert {str(file) for file in files}.isdisjoint(results)
