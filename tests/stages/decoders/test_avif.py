"""AVIFs, still and sequences, against Pillow, which is libavif too, and libvips, whose libheif is another."""

import io
from typing import Any, Final

import numpy as np
import pytest
import pyvips  # type: ignore[import-untyped]  # it has annotations, but no py.typed
from PIL import Image

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Layout
from tests.oracles import difference, difference_max, sample
from tests.photographs import photograph_image
from tests.stages.arenas import Pixels, decoded_by_us

FULL_COLOR_STEPS: Final = 1
"""Between the two conversions from YCbCr, where colours are as fine as light."""
MEAN_STEPS: Final = 2.0
"""Where they are coarser: libheif takes the nearest colour, libavif those around."""
DEEP_STEPS: Final = 3
"""libavif cuts 10 and 12 bits down to 8 before that conversion, libvips after it."""


def avif(pixels: Pixels, *more: Image.Image, **options: Any) -> bytes:
    stream = io.BytesIO()
    extra = {"save_all": True, "append_images": list(more)} if more else {}
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image.save(stream, "AVIF", **{"speed": 9} | extra | options)
    return stream.getvalue()


def by_pillow(data: bytes, page: int = 0) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        image.seek(page)
        return np.atleast_3d(np.asarray(image))


@pytest.mark.parametrize("layout", [Layout.GRAY, Layout.RGB, Layout.RGBA])
@pytest.mark.parametrize("options", [{}, {"quality": 20}, {"subsampling": "4:2:2"}, {"range": "limited"}])
def test_avif_is_that_of_pillow_and_near_that_of_libvips(layout: Layout, options: dict[str, Any]) -> None:
    data = avif(sample(layout), **options)
    ours = decoded_by_us(data)
    vips = np.atleast_3d(pyvips.Image.new_from_buffer(data, "").numpy())

    assert difference_max(ours, by_pillow(data)) == 0
    if "range" in options and layout is Layout.GRAY:
        # libheif leaves such a grey as flat as it is stored.
        vips = sample(layout)
    assert difference(np.broadcast_to(ours, vips.shape), vips).mean() < MEAN_STEPS


@pytest.mark.parametrize("layout", [Layout.RGB, Layout.RGBA])
def test_avif_of_full_color_is_that_of_libvips(layout: Layout) -> None:
    data = avif(sample(layout), subsampling="4:4:4", quality=90)

    assert difference_max(decoded_by_us(data), pyvips.Image.new_from_buffer(data, "").numpy()) <= FULL_COLOR_STEPS


def test_avif_of_many_bits_is_that_of_libvips() -> None:
    image = pyvips.Image.new_from_array(sample(Layout.RGB).astype(np.uint16) * 257, interpretation="rgb16")
    data = image.heifsave_buffer(compression="av1", bitdepth=12, Q=90, effort=0, subsample_mode="off")
    vips = pyvips.Image.new_from_buffer(data, "").numpy() / 257

    assert difference_max(decoded_by_us(data), vips.round().astype(np.uint8)) <= DEEP_STEPS


def test_avif_sequence_shows_the_page_that_is_asked_for() -> None:
    photograph = photograph_image("coffee.png")
    shown = [photograph.crop((left, 0, left + 200, 150)) for left in (0, 50, 100)]
    data = avif(np.asarray(shown[0]), *shown[1:])
    for page, frame in enumerate(shown):
        ours = decoded_by_us(data, page=page)
        assert difference_max(ours, by_pillow(data, page)) == 0
        assert difference(ours, np.asarray(frame)).mean() < 6
    with pytest.raises(FrameError, match=r"^BAD_REQUEST: input.page: 3 is beyond the picture's last, 2$"):
        decoded_by_us(data, page=3)


def test_avif_is_not_turned() -> None:
    """The header tells how it is to be turned, and an operation does it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = avif(sample(Layout.RGB), exif=exif, subsampling="4:4:4", quality=95)

    assert difference(decoded_by_us(data), sample(Layout.RGB)).mean() < 3


def test_avif_with_damaged_exif_still_decodes() -> None:
    exif = Image.Exif()
    exif[0x010E] = "the description of a picture"
    data = avif(sample(Layout.RGB), exif=exif)
    at = data.index(b"\0\0\0\x08", data.index(b"Exif\0\0" if b"Exif\0\0MM" in data else b"MM\0*"))
    damaged = data[:at] + b"\0\0\xff\xff" + data[at + 4 :]

    assert difference_max(decoded_by_us(damaged), decoded_by_us(data)) == 0


def test_avif_with_damaged_pixels_is_a_bad_image_or_a_picture(capfd: pytest.CaptureFixture[str]) -> None:
    """And says nothing of it to the terminal."""
    data = bytearray(avif(sample(Layout.RGBA)[:64, :64]))
    for at in range(data.index(b"mdat") + 4, len(data), 3):
        data[at] ^= 0xFF
        try:
            decoded_by_us(bytes(data))
        except FrameError as error:
            assert error.code is ErrorCode.BAD_IMAGE, error  # noqa: PT017  # or it was decoded
        data[at] ^= 0xFF

    assert capfd.readouterr() == ("", "")


def test_avif_cut_off_in_its_pixels_is_a_bad_image() -> None:
    data = avif(sample(Layout.RGB))

    with pytest.raises(FrameError) as caught:
        decoded_by_us(data[:-100])
    assert caught.value.code is ErrorCode.BAD_IMAGE
