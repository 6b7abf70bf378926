"""WebPs, still and animated, against libvips and Pillow: all three are libwebp, and agree to the last bit."""

import io
from typing import Any

import numpy as np
import pytest
import pyvips  # type: ignore[import-untyped]  # it has annotations, but no py.typed
from PIL import Image

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Layout
from tests.oracles import difference_max, sample
from tests.photographs import photograph_image
from tests.stages.arenas import Pixels, decoded_by_us


def webp(pixels: Pixels, *more: Image.Image, **options: Any) -> bytes:
    stream = io.BytesIO()
    extra = {"save_all": True, "append_images": list(more)} if more else {}
    Image.fromarray(pixels).save(stream, "WEBP", **extra, **options)
    return stream.getvalue()


@pytest.mark.parametrize("layout", [Layout.RGB, Layout.RGBA])
@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"lossless": True, "exact": True}, {"quality": 20}])
def test_webp_is_that_of_libvips(layout: Layout, options: dict[str, Any]) -> None:
    data = webp(sample(layout), **options)
    ours = decoded_by_us(data)

    assert ours.shape[2] == layout.channels
    assert difference_max(ours, pyvips.Image.new_from_buffer(data, "").numpy()) == 0


def test_webp_without_loss_is_its_original() -> None:
    assert difference_max(decoded_by_us(webp(sample(Layout.RGB), lossless=True)), sample(Layout.RGB)) == 0


def test_webp_animation_shows_the_page_that_is_asked_for() -> None:
    photograph = photograph_image("coffee.png")
    shown = [photograph.crop((left, 0, left + 200, 150)) for left in (0, 50, 100)]
    data = webp(np.asarray(shown[0]), *shown[1:], lossless=True)
    for page, frame in enumerate(shown):
        assert difference_max(decoded_by_us(data, page=page)[..., :3], np.asarray(frame)) == 0
    with pytest.raises(FrameError, match=r"^BAD_REQUEST: input.page: 3 is beyond the picture's last, 2$"):
        decoded_by_us(data, page=3)


def test_webp_still_has_no_second_page() -> None:
    with pytest.raises(FrameError, match=r"^BAD_REQUEST: input.page: 1 is beyond the picture's last, 0$"):
        decoded_by_us(webp(sample(Layout.RGB)), page=1)


@pytest.mark.parametrize("options", [{}, {"lossless": True}])
def test_webp_with_damaged_pixels_is_a_bad_image_or_a_picture(options: dict[str, Any]) -> None:
    """Lossy pixels have no redundancy: most damage cannot be told. No other error must come of it."""
    data = bytearray(webp(sample(Layout.RGBA)[:64, :64], **options))
    for at in range(30, len(data), 7):
        data[at] ^= 0xFF
        try:
            decoded_by_us(bytes(data))
        except FrameError as error:
            assert error.code is ErrorCode.BAD_IMAGE, error  # noqa: PT017  # or it was decoded
        data[at] ^= 0xFF


def test_webp_truncated_within_its_pixels_is_a_bad_image() -> None:
    """Its lengths say that it is whole, so that the header does."""
    data = bytearray(webp(sample(Layout.RGB)))
    cut = len(data) // 2 & ~1
    data[4:8] = (cut - 8).to_bytes(4, "little")
    data[16:20] = (cut - 20).to_bytes(4, "little")

    with pytest.raises(FrameError, match="WebP is corrupt") as caught:
        decoded_by_us(bytes(data[:cut]))
    assert caught.value.code is ErrorCode.BAD_IMAGE
