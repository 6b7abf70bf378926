"""Real photographs, of any size, for tests that must see what producers send.

They are data files of scikit-image (NASA pictures in the public domain, and others released to it), read from where the
package lies without importing it.
"""

import functools
import importlib.util
import io
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

JPEGS: Final = ("hubble_deep_field.jpg", "retina.jpg", "rocket.jpg")
PNGS: Final = ("astronaut.png", "coffee.png", "chelsea.png")
NAMES: Final = JPEGS + PNGS


@functools.cache
def photograph(name: str) -> bytes:
    """The file of one of `NAMES`."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise RuntimeError("scikit-image, whose photographs the tests use, is not installed")
    return (Path(spec.origin).parent / "data" / name).read_bytes()


@functools.cache
def photograph_image(name: str) -> Image.Image:
    """One of `NAMES`, decoded by Pillow to RGB."""
    return Image.open(io.BytesIO(photograph(name))).convert("RGB")


@functools.lru_cache(maxsize=8)
def photograph_mosaic(side: int) -> Image.Image:
    """A square RGB picture of photographs set in rows, at their own scale, so that any size has real detail."""
    tiles = [photograph_image(name) for name in ("astronaut.png", "coffee.png", "rocket.jpg", "chelsea.png")]
    mosaic = Image.new("RGB", (side, side))
    top = 0
    first = 0
    while top < side:
        left = 0
        index = first
        while left < side:
            tile = tiles[index % len(tiles)]
            mosaic.paste(tile, (left, top))
            left += tile.width
            index += 1
        top += 300  # height of the lowest tile: no gaps
        first += 1
    return mosaic


@functools.lru_cache(maxsize=32)
def photograph_jpeg(side: int, quality: int = 85, **options: Any) -> bytes:
    """`photograph_mosaic(side)` as JPEG. `options` are Pillow's: `subsampling`, `progressive`, `exif`, ..."""
    return jpeg(photograph_mosaic(side), quality=quality, **options)


def jpeg(image: Image.Image, **options: Any) -> bytes:
    """Any picture as JPEG, written by Pillow."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", **options)
    return stream.getvalue()


def decoded(data: bytes) -> NDArray[np.uint8]:
    """Any picture, decoded by Pillow: height x width x channels."""
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def rmse(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Root of the mean squared difference, in steps of 1/255."""
    if one.shape != other.shape:
        raise ValueError(f"{one.shape} against {other.shape}")
    return float(np.sqrt(np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2)))
