"""Pictures that carry a number in their pixels, so that a swapped or stale frame is seen.

Sixteen bits and their complements stand as black and white blocks in a 4 x 8 grid, large enough to outlive JPEG and any
resize to no less than 32 x 16. The smallest pictures carry it as the plain bytes of raw pixels.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import simplejpeg  # type: ignore[import-untyped]  # has annotations, but no py.typed

ROWS, COLUMNS = 4, 8
BITS = 16

Pixels = npt.NDArray[np.uint8]


def numbered_pixels(number: int, width: int, height: int) -> Pixels:
    """Make an RGB picture of at least 32 x 16 pixels that carries `number`."""
    bits = [(number >> bit) & 1 for bit in range(BITS)]
    grid = np.array([*bits, *(1 - bit for bit in bits)], np.uint8).reshape(ROWS, COLUMNS) * 200 + 28
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    gray = grid[rows[:, None], columns[None, :]]
    return np.repeat(gray[:, :, None], 3, axis=2)


@lru_cache(maxsize=8)
def _encoded(number: int, width: int, height: int) -> bytes:
    return bytes(simplejpeg.encode_jpeg(numbered_pixels(number, width, height), 90, colorsubsampling="420"))


def numbered_jpeg(number: int, width: int, height: int) -> bytes:
    """Make a JPEG that carries `number`."""
    return _encoded(number, width, height)


def number_of(pixels: Pixels) -> int:
    """Read the number back. Raises ValueError where the picture contradicts itself."""
    height, width = pixels.shape[:2]
    gray = pixels.reshape(height, width, -1).mean(axis=2)
    rows = ((np.arange(ROWS) + 0.5) * height / ROWS).astype(int)
    columns = ((np.arange(COLUMNS) + 0.5) * width / COLUMNS).astype(int)
    bits = (gray[rows[:, None], columns[None, :]] > 128).reshape(-1)
    if (bits[:BITS] == bits[BITS:]).any():
        raise ValueError("the picture carries no number")
    return int(sum(1 << index for index, bit in enumerate(bits[:BITS]) if bit))


def number_of_jpeg(data: bytes) -> int:
    """Read the number out of a JPEG."""
    return number_of(simplejpeg.decode_jpeg(data))
