"""The fuzzer: its seeds reach what they shall, its targets see what is wrong, and a short run ends well."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Geometry, Layout
from stages import decoders
from stages.picture import Picture
from stages.probe import FORMATS, probe
from tests.fuzz import decoding, finding, probing
from tests.fuzz.__main__ import FILE_BYTES_MAX
from tests.fuzz.checksums import mended
from tests.fuzz.finding import PAGES_MAX, FindingError, page_of
from tests.fuzz.seeds import seeds
from tests.pngs import SIGNATURE, chunk, ihdr


@pytest.mark.parametrize("name", sorted(seeds()))
def test_seed_holds_what_is_held_of_any_file(name: str) -> None:
    probing.target(seeds()[name])
    decoding.target(seeds()[name])

    assert len(seeds()[name]) <= FILE_BYTES_MAX


def test_seeds_are_of_every_format_and_every_layout() -> None:
    pictures = [probe(data, probing.LIMITS) for data in seeds().values()]

    assert {picture.format for picture in pictures} == set(FORMATS)
    assert {picture.geometry.layout for picture in pictures} == {Layout.GRAY, Layout.RGB, Layout.RGBA}
    assert {picture.format for picture in pictures if picture.orientation != 1} == {"jpeg", "png", "webp", "avif"}


@pytest.mark.parametrize(
    "told",
    [
        Picture("png", Geometry(0, 8, Layout.RGB)),
        Picture("png", Geometry(8, 20_000, Layout.RGB)),
        Picture("png", Geometry(10_000, 10_000, Layout.RGB)),
        Picture("png", Geometry(8, 8, Layout.BGR)),
        Picture("png", Geometry(8, 8, Layout.RGB), 9),
    ],
)
def test_probe_that_tells_what_cannot_be_is_found(told: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "probe", lambda *_: told)

    with pytest.raises(FindingError):
        probing.target(seeds()["RGB.png"])


def test_error_of_another_kind_or_code_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise FrameError(ErrorCode.INTERNAL, "")

    def stumbles(*_: object) -> None:
        raise IndexError

    monkeypatch.setattr(finding, "probe", fails)
    with pytest.raises(FindingError):
        probing.target(b"")
    monkeypatch.setattr(finding, "probe", stumbles)
    with pytest.raises(IndexError):
        probing.target(b"")


def test_difference_between_bytes_and_a_view_of_them_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def tells(data: object, *_: object) -> Picture:
        return Picture("png", Geometry(8, 8, Layout.RGB), 1 + isinstance(data, memoryview))

    monkeypatch.setattr(finding, "probe", tells)
    with pytest.raises(FindingError, match="differ"):
        probing.target(seeds()["RGB.png"])


def test_decoder_that_makes_other_pixels_or_fails_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = decoders.decoded(seeds()["RGB.png"], "png", probe(seeds()["RGB.png"], decoding.LIMITS).geometry)

    monkeypatch.setattr(decoders, "decoded", lambda *_: pixels[1:])
    with pytest.raises(FindingError):
        decoding.target(seeds()["RGB.png"])
    monkeypatch.setattr(decoders, "decoded", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        decoding.target(seeds()["RGB.png"])


def test_every_page_is_asked_for_and_mostly_the_first() -> None:
    pages = [page_of(bytes(length)) for length in range(80)]

    assert set(pages) == set(range(PAGES_MAX))
    assert pages.count(0) > len(pages) / 2


def test_checksums_of_a_changed_png_are_set_right() -> None:
    whole = seeds()["metadata.png"]
    spoilt = whole.replace(b"iCCP", b"iCCQ").replace(b"IHDR", b"IHDS")

    assert mended(whole) == whole
    assert mended(spoilt) != spoilt
    assert mended(mended(spoilt).replace(b"iCCQ", b"iCCP").replace(b"IHDS", b"IHDR")) == whole
    assert Image.open(io.BytesIO(mended(whole[:-1] + b"x"))).size == probe_size(whole)


def probe_size(data: bytes) -> tuple[int, int]:
    geometry = probe(data, probing.LIMITS).geometry
    return geometry.width, geometry.height


@pytest.mark.parametrize("data", [b"", b"GIF89a", SIGNATURE, SIGNATURE + ihdr(8, 8)[:-1], SIGNATURE + chunk(b"IHDR")])
def test_checksums_of_a_stump_or_another_format_are_left(data: bytes) -> None:
    assert mended(data) == data


def test_file_that_was_found_is_tried_again_by_hand(tmp_path: Path) -> None:
    good = tmp_path / "good.png"
    good.write_bytes(seeds()["RGB.png"])
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "decode", "--file", str(good)],
        cwd=Path(__file__).parents[2],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
