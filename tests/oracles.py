"""Independent implementations that results are held against: libvips and Pillow, given and giving the pixels of ours.

Pixels are height x width x channels, 8 bit, in the order GRAY, RGB or RGBA; `in_order` brings the others there.
"""

import functools
import os
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipc.pixels import Layout
from tests.photographs import photograph_image

os.environ["VIPS_CONCURRENCY"] = "1"  # ORDER: libvips reads it when it is first imported
import pyvips  # type: ignore[import-untyped]  # it has annotations, but no py.typed

Pixels = NDArray[np.uint8]

_INTERPRETATIONS: Final = {1: "b-w", 2: "b-w", 3: "srgb", 4: "srgb"}


def vips_image(pixels: Pixels) -> Any:
    """As a libvips image in sRGB or grey; a fourth channel is alpha to it."""
    height, width, channels = pixels.shape
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(pixels).tobytes(), width, height, channels, "uchar")
    return image.copy(interpretation=_INTERPRETATIONS[channels])


def vips_pixels(image: Any) -> Pixels:
    """Of a libvips image, rounded and clipped to 8 bits; it must be in sRGB or grey."""
    if image.format != "uchar":
        image = image.rint().cast("uchar")
    return np.frombuffer(image.write_to_memory(), np.uint8).reshape(image.height, image.width, image.bands)


def vips_values(image: Any) -> NDArray[np.float64]:
    """Of a libvips image, whatever its numbers are."""
    image = image.cast("double")
    return np.frombuffer(image.write_to_memory(), np.float64).reshape(image.height, image.width, image.bands)


def pillow_image(pixels: Pixels) -> Image.Image:
    """As a Pillow image of mode L, RGB or RGBA."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels))


def pillow_pixels(image: Image.Image) -> Pixels:
    """Of a Pillow image of mode L, RGB or RGBA."""
    pixels = np.asarray(image)
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def in_order(pixels: Pixels, layout: Layout) -> Pixels:
    """Pixels of `layout` in the order GRAY, RGB or RGBA; and the reverse, since it is the same exchange."""
    match layout:
        case Layout.BGR:
            return np.ascontiguousarray(pixels[..., ::-1])
        case Layout.BGRA:
            return np.ascontiguousarray(pixels[..., [2, 1, 0, 3]])
        case _:
            return pixels


@functools.lru_cache(maxsize=32)
def sample(layout: Layout, name: str = "coffee.png") -> Pixels:
    """A photograph in `layout`, not writeable: of `tests.photographs.NAMES`.

    Alpha, where there is one, has all that matters: a soft disc, wholly transparent corners whose colours must not be
    seen, a wholly opaque middle, and a hard edge.
    """
    colors = np.asarray(photograph_image(name))
    height, width, _ = colors.shape
    if layout is Layout.GRAY:
        pixels = np.asarray(photograph_image(name).convert("L"))[..., np.newaxis]
    elif layout.channels == 3:
        pixels = in_order(colors, layout)
    else:
        pixels = in_order(np.dstack([colors, _disc(height, width)]), layout)
    pixels = np.array(pixels)
    pixels.flags.writeable = False
    return pixels


def difference(one: Pixels, other: Pixels) -> NDArray[np.int16]:
    """Value by value and without sign, in steps of 1/255."""
    if one.shape != other.shape:
        raise ValueError(f"{one.shape} against {other.shape}")
    return np.abs(one.astype(np.int16) - other.astype(np.int16))


def difference_max(one: Pixels, other: Pixels) -> int:
    """The largest of `difference`."""
    return int(difference(one, other).max())


def share_over(one: Pixels, other: Pixels, limit: int) -> float:
    """Share of the values that differ by more than `limit`."""
    return float(np.mean(difference(one, other) > limit))


def premultiplied(pixels: Pixels) -> Pixels:
    """RGBA with colours as they are seen: what lies under full transparency counts for nothing. Rounded."""
    alpha = pixels[..., 3:].astype(np.uint32)
    seen: NDArray[np.uint32] = (pixels[..., :3] * alpha + 127) // 255
    return np.concatenate([seen.astype(np.uint8), pixels[..., 3:]], axis=2)


def _disc(height: int, width: int) -> Pixels:
    rows, columns = np.mgrid[-1.0 : 1.0 : height * 1j, -1.0 : 1.0 : width * 1j]
    alpha: Pixels = np.clip((1.2 - np.hypot(rows, columns)) * 400, 0, 255).astype(np.uint8)
    alpha[height // 3 :, : width // 5] //= 3
    return alpha
