"""JPEGs of every sampling and of four inks, against Pillow and libvips: all three are libjpeg-turbo."""

import io
from typing import Final

import numpy as np
import pytest
import pyvips  # type: ignore[import-untyped]  # it has annotations, but no py.typed
from PIL import Image

from ipc.errors import ErrorCode, FrameError
from tests.oracles import difference_max
from tests.photographs import jpeg, photograph_image
from tests.stages.arenas import Pixels, decoded_by_us
from tests.stages.decoders.planar_jpegs import Factors, planar_jpeg
from tests.stages.jpegs import segment, with_segment

NAMED: Final = {
    "4:4:4": ((1, 1), (1, 1), (1, 1)),
    "4:2:2": ((2, 1), (1, 1), (1, 1)),
    "4:2:0": ((2, 2), (1, 1), (1, 1)),
    "4:4:0": ((1, 2), (1, 1), (1, 1)),
    "4:1:1": ((4, 1), (1, 1), (1, 1)),
    "4:4:1": ((1, 4), (1, 1), (1, 1)),
    "4:1:0": ((4, 2), (1, 1), (1, 1)),
    "a third": ((3, 1), (1, 1), (1, 1)),
    "4:2:2 as 2x2": ((2, 2), (1, 2), (1, 2)),
    "each another": ((2, 2), (2, 1), (1, 2)),
    "luma coarser": ((1, 1), (2, 2), (2, 2)),
    "a sixteenth": ((4, 4), (1, 1), (1, 1)),
}
INK_STEPS: Final = 1
"""Ink to light is (1 - c) * (1 - k) for all; Pillow cuts off where we round."""


def by_pillow(data: bytes, denominator: int = 1) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        if denominator > 1:
            image.draft(image.mode, (image.width // denominator, image.height // denominator))
        return np.asarray(image.convert("RGB"))


def inks_of(name: str) -> Image.Image:
    """A photograph in four inks, black as strong as it can be."""
    colors = np.asarray(photograph_image(name)).astype(float)
    light = np.maximum(colors.max(axis=2, keepdims=True), 1)
    inks = np.dstack([255 - colors * 255 / light, 255 - light])
    return Image.fromarray(inks.round().astype(np.uint8), "CMYK")


@pytest.mark.parametrize("denominator", [1, 2, 8])
@pytest.mark.parametrize("samplings", NAMED.values(), ids=NAMED)
def test_jpeg_of_any_sampling_is_that_of_pillow_and_libvips(samplings: tuple[Factors, ...], denominator: int) -> None:
    data = planar_jpeg(photograph_image("coffee.png").crop((0, 0, 301, 203)).convert("YCbCr"), samplings)
    ours = decoded_by_us(data, denominator)
    vips = pyvips.Image.new_from_buffer(data, "", shrink=denominator).numpy()

    assert difference_max(ours, by_pillow(data, denominator)) == 0
    # libvips leaves out the last column and row where they are of a part of a pixel.
    assert difference_max(ours[: vips.shape[0], : vips.shape[1]], vips) == 0


def test_jpeg_of_any_sampling_looks_like_its_original() -> None:
    """The oracle of the test above: the files are what they are meant to be."""
    original = photograph_image("coffee.png").crop((0, 0, 301, 203))
    for samplings in NAMED.values():
        pixels = decoded_by_us(planar_jpeg(original.convert("YCbCr"), samplings))
        assert np.abs(pixels.astype(int) - np.asarray(original)).mean() < 6


def test_jpeg_of_unnamed_sampling_does_not_read_its_metadata() -> None:
    """Pillow would, and what is damaged there would fail the picture."""
    data = planar_jpeg(photograph_image("coffee.png").crop((0, 0, 64, 64)).convert("YCbCr"), NAMED["4:1:0"])
    damaged = data[:2] + b"\xff\xe1\x00\x10Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff\xff\xfe\x00\x03a" + data[2:]

    assert difference_max(decoded_by_us(damaged), decoded_by_us(data)) == 0


def test_jpeg_of_unnamed_sampling_that_is_cut_off_is_truncated() -> None:
    data = planar_jpeg(photograph_image("coffee.png").crop((0, 0, 256, 256)).convert("YCbCr"), NAMED["4:1:0"])

    with pytest.raises(FrameError, match="JPEG is truncated") as caught:
        decoded_by_us(data[: len(data) // 2])
    assert caught.value.code is ErrorCode.BAD_IMAGE


def test_jpeg_of_fractional_sampling_is_a_bad_image() -> None:
    """libjpeg cannot."""
    data = planar_jpeg(photograph_image("coffee.png").crop((0, 0, 64, 64)).convert("YCbCr"), ((3, 3), (2, 2), (1, 1)))

    with pytest.raises(FrameError, match="JPEG is corrupt"):
        decoded_by_us(data)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2}])
def test_jpeg_gray_or_color_agrees_with_pillow(options: dict[str, int]) -> None:
    for image in (photograph_image("chelsea.png"), photograph_image("chelsea.png").convert("L")):
        data = jpeg(image, **options)
        assert difference_max(decoded_by_us(data), np.atleast_3d(np.asarray(Image.open(io.BytesIO(data))))) == 0


@pytest.mark.parametrize("denominator", [1, 2, 4, 8])
@pytest.mark.parametrize("adobe", ["cmyk", "ycck", "none"])
def test_jpeg_of_four_inks_agrees_with_pillow(adobe: str, denominator: int) -> None:
    """Inks are stored as light, with Adobe's segment or without: so Pillow and libvips take all such files."""
    data = jpeg(inks_of("coffee.png"), quality=95, subsampling=0)
    at = data.index(b"\xff\xee\x00\x0eAdobe")
    if adobe == "ycck":
        data = data[: at + 15] + b"\x02" + data[at + 16 :]
    elif adobe == "none":
        data = data[:at] + data[at + 16 :]

    assert difference_max(decoded_by_us(data, denominator), by_pillow(data, denominator)) <= INK_STEPS


def test_jpeg_of_four_inks_and_coarse_colors_agrees_with_pillow() -> None:
    samplings = ((2, 2), (1, 1), (1, 1), (2, 2))
    data = planar_jpeg(photograph_image("coffee.png").convert("CMYK"), samplings, adobe=2)

    assert difference_max(decoded_by_us(data), by_pillow(data)) <= INK_STEPS


def test_jpeg_of_four_inks_and_unnamed_sampling_agrees_with_pillow() -> None:
    samplings = ((4, 2), (1, 1), (1, 1), (4, 2))
    data = planar_jpeg(photograph_image("coffee.png").convert("CMYK"), samplings, adobe=2)

    assert difference_max(decoded_by_us(data), by_pillow(data)) <= INK_STEPS


def test_jpeg_of_four_inks_looks_like_its_original() -> None:
    data = jpeg(inks_of("coffee.png"), quality=98, subsampling=0)

    assert np.abs(decoded_by_us(data).astype(int) - np.asarray(photograph_image("coffee.png"))).mean() < 3


def test_jpeg_stored_as_rgb_agrees_with_pillow() -> None:
    data = planar_jpeg(photograph_image("coffee.png"), ((1, 1),) * 3, adobe=0)

    assert difference_max(decoded_by_us(data), by_pillow(data)) == 0
    assert np.abs(decoded_by_us(data).astype(int) - np.asarray(photograph_image("coffee.png"))).mean() < 4


@pytest.mark.parametrize(
    "damaged",
    [
        segment(0xE2, b"ICC_PROFILE\0\1\2a part of two"),
        segment(0xE2, b"ICC_PROFILE\0\0\0no part"),
        segment(0xE0, b"JFIF\0\7\7\0\0\1\0\1\0\0"),
    ],
    ids=["profile without its other part", "profile numbered 0", "JFIF of the future"],
)
def test_jpeg_with_metadata_that_libjpeg_warns_of_still_decodes(damaged: bytes) -> None:
    data = jpeg(photograph_image("coffee.png"))

    assert difference_max(decoded_by_us(with_segment(data, damaged)), decoded_by_us(data)) == 0
