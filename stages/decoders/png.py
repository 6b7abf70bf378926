"""PNG, decoded by Pillow: of 16 bits a channel the picture becomes one of 8, and one colour can be transparent."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final, Literal

from ipc.pixels import Geometry
from stages.decoders.page import Page, check_size
from stages.decoders.png_essence import GRAY, GRAY_ALPHA, RGB, Essence, essence_of
from stages.decoders.png_rows import load_rows
from stages.strips import strips

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.PngImagePlugin import PngImageFile

_DEEP: Final = 16
_Half = Literal["RGB;16B", "RGB;16L"]
"""How Pillow makes 8 bits of 16, a decoder's `rawmode`: by the upper byte, if it knows in which order they lie."""


def load(source: memoryview, geometry: Geometry) -> Page:
    """Decode the default image. Raises FrameError BAD_IMAGE, and what Pillow does."""
    essence = essence_of(source)
    with _opened(essence) as image:
        check_size(image.size, geometry)
        kind: Literal["GRAY", "RGB"] = "GRAY" if essence.color in (GRAY, GRAY_ALPHA) else "RGB"
        return Page(_loaded(image, essence), kind, essence.profile)


def _loaded(image: PngImageFile, essence: Essence) -> Image:
    transparent = essence.transparent
    if essence.depth == _DEEP and essence.color == GRAY:
        return _gray_of_8_bits(image, essence)
    if essence.depth == _DEEP and transparent:
        return _colors_of_8_bits(image, essence)
    load_rows(image, essence)
    # Pillow takes these as they are in the file, but has made the pixels ones of 8 bits.
    largest = (1 << essence.depth) - 1
    values = tuple((value & largest) * (255 // largest) for value in transparent)
    if values:
        image.info["transparency"] = values if essence.color == RGB else values[0]
    return image


def _opened(essence: Essence) -> PngImageFile:
    from PIL.PngImagePlugin import PngImageFile

    return PngImageFile(io.BytesIO(essence.data))


def _gray_of_8_bits(image: PngImageFile, essence: Essence) -> Image:
    import numpy as np
    from PIL import Image

    transparent = essence.transparent
    load_rows(image, essence)
    result = np.empty((image.height, image.width, 2 if transparent else 1), np.uint8)
    for rows in strips(result):
        deep = _rows(image, rows)
        result[rows, :, 0] = _rounded(deep)
        if transparent:
            result[rows, :, 1] = _alpha(deep != transparent[0])
    return Image.fromarray(result if transparent else result[..., 0])


def _colors_of_8_bits(image: PngImageFile, essence: Essence) -> Image:
    """Decode twice, for the upper bytes and for the lower: which colour is transparent takes all bits to tell."""
    import numpy as np
    from PIL import Image

    with _opened(essence) as other:
        _load_half(image, essence, "RGB;16B")
        _load_half(other, essence, "RGB;16L")
    result = np.empty((image.height, image.width, 4), np.uint8)
    transparent = np.array(essence.transparent, np.uint16)
    for rows in strips(result):
        deep = np.left_shift(_rows(image, rows), 8, dtype=np.uint16) | _rows(other, rows)
        result[rows, :, :3] = _rounded(deep)
        result[rows, :, 3] = _alpha((deep != transparent).any(axis=2))
    return Image.fromarray(result)


def _load_half(image: PngImageFile, essence: Essence, rawmode: _Half) -> None:
    image.tile = [tile._replace(args=rawmode) for tile in image.tile]
    load_rows(image, essence)


def _rows(image: Image, rows: slice) -> NDArray[Any]:
    import numpy as np

    return np.asarray(image.crop((0, rows.start, image.width, rows.stop)))


def _rounded(deep: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Divide by 257, to the nearest: 65535 becomes 255."""
    import numpy as np

    return ((deep.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _alpha(is_seen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    import numpy as np

    return is_seen.astype(np.uint8) * np.uint8(255)
