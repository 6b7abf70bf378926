"""Resampling of a box of pixels to another size.

Convolution is cykooz-resizer's (fast_image_resize: SIMD, antialiased, alpha premultiplied); it takes and gives `bytes`,
so a large picture pays for copies. OpenCV reads and writes in place, but of its kernels only INTER_AREA is antialiased.
So large reductions are first halved in place by OpenCV, which is a plain average of 2 x 2 pixels, as often as
`REDUCTION_LEAVES` allows, and what is still large goes through the convolution in strips.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, Final, Literal

from stages.alpha import is_opaque
from stages.raster import Box, written_into

if TYPE_CHECKING:
    from stages.raster import Pixels

Kernel = Literal["lanczos3", "nearest", "linear", "cubic", "mitchell", "area"]

REDUCTION_LEAVES: Final = {2: 2.0, 4: 2.25, 8: 3.0}
"""By a cheaper reduction, the decoder's or ours: the factor that it must leave to the convolution, for a result within
1.0 RMSE of the convolution of all pixels. Measured on photographs against Pillow, for reductions by 2, 4 and 8: 0.90,
1.08 and 1.45 with 2.0 left; 0.80, 0.94 and 1.23 with 2.25; 0.70, 0.82 and 1.08 with 2.5."""

_STRIP_BYTES: Final = 4 << 20  # copied at a time: larger ones are slower (page faults) and cost memory

_CONVOLUTION_BYTES: Final = 4 << 20
"""More than the coefficients of the longest side take."""

_FILTERS: Final = {
    "lanczos3": ("lanczos3", 3),
    "cubic": ("catmull_rom", 2),
    "mitchell": ("mitchell", 2),
    "linear": ("bilinear", 1),
    "area": ("box", 1),
}
"""By kernel: the library's name, and the reach of the kernel in pixels of the coarser grid."""


def resample(
    pixels: Pixels,
    box: Box,
    width: int,
    height: int,
    kernel: Kernel,
    target: Pixels | None = None,
    reduced: int = 1,
) -> Pixels:
    """The `box` of `pixels` (height x width x channels; four channels end in alpha) as `width` x `height` pixels.

    The result may lie in `target`, of exactly its shape, or be a view of `pixels`. `reduced`: by what factor a decoder
    has made the pixels coarser already.
    """
    shrink = min(box.width / width, box.height / height)
    if shrink == 1.0 and _is_whole(box, width, height):
        return _cut(pixels, int(box.left), int(box.top), width, height)
    if kernel == "nearest":
        return _nearest(pixels, box, width, height, target)
    if kernel == "area" and shrink >= 1 and is_opaque(pixels):
        return _area(pixels, box, width, height, target)
    if kernel == "area":
        kernel = "area" if shrink >= 1 else "linear"  # to enlarge, there is nothing to average
    elif _may_halve(reduced, shrink) and is_opaque(pixels):
        while _may_halve(reduced, shrink):
            pixels = _halve(pixels)
            box = Box(box.left / 2, box.top / 2, box.width / 2, box.height / 2)
            reduced *= 2
            shrink /= 2
    if width < box.width and height > box.height:
        # The library changes the height first: here that would take more memory than source and result do.
        pixels, box = _convolve_across(pixels, box, width, kernel)
    return _convolve_strips(pixels, box, width, height, kernel)


def _may_halve(reduced: int, shrink: float) -> bool:
    leaves = REDUCTION_LEAVES.get(reduced * 2)
    return leaves is not None and shrink / 2 >= leaves


def _is_whole(box: Box, width: int, height: int) -> bool:
    return box.left.is_integer() and box.top.is_integer() and box.width == width and box.height == height


def _cut(pixels: Pixels, left: int, top: int, width: int, height: int) -> Pixels:
    return pixels[top : top + height, left : left + width]


def _nearest(pixels: Pixels, box: Box, width: int, height: int, target: Pixels | None) -> Pixels:
    """The source pixel under the middle of each result pixel, as in Pillow's NEAREST."""
    import numpy as np

    # One division at the end: where a middle falls on an edge between pixels, the result is exact.
    rows = np.floor(box.top + (2 * np.arange(height) + 1) * box.height / (2 * height)).astype(np.intp)
    columns = np.floor(box.left + (2 * np.arange(width) + 1) * box.width / (2 * width)).astype(np.intp)
    np.clip(rows, 0, pixels.shape[0] - 1, out=rows)
    np.clip(columns, 0, pixels.shape[1] - 1, out=columns)
    if height * pixels.shape[1] > width * pixels.shape[0]:  # the order that takes less memory
        result: Pixels = pixels.take(columns, axis=1).take(rows, axis=0, out=target, mode="clip")
    else:
        result = pixels.take(rows, axis=0).take(columns, axis=1, out=target, mode="clip")
    return result


def _area(pixels: Pixels, box: Box, width: int, height: int, target: Pixels | None) -> Pixels:
    """Mean over the area of each result pixel. OpenCV takes no fractional box: its edges are rounded to pixels.

    It knows nothing of alpha either; where that matters, the convolution's box kernel takes its place.
    """
    import cv2
    import numpy as np

    left, top = round(box.left), round(box.top)
    right, bottom = max(round(box.left + box.width), left + width), max(round(box.top + box.height), top + height)
    source = pixels[top:bottom, left:right]
    result = np.empty((height, width, pixels.shape[2]), np.uint8) if target is None else target
    return written_into(cv2.resize(source, (width, height), dst=result, interpolation=cv2.INTER_AREA), result)


def _halve(pixels: Pixels) -> Pixels:
    """Mean of each 2 x 2 pixels. A last odd row or column is averaged with itself, as a JPEG decoder's padding is."""
    import cv2
    import numpy as np

    height, width, channels = pixels.shape
    half = np.empty(((height + 1) // 2, (width + 1) // 2, channels), np.uint8)
    even = half[: height // 2, : width // 2]
    size = (width // 2, height // 2)
    written_into(cv2.resize(pixels[: size[1] * 2, : size[0] * 2], size, dst=even, interpolation=cv2.INTER_AREA), even)
    if width % 2:
        half[:, -1] = pixels[::2, -1]
    if height % 2:
        half[-1] = pixels[-1, ::2]
    return half


def _convolve_across(pixels: Pixels, box: Box, width: int, kernel: Kernel) -> tuple[Pixels, Box]:
    """All rows that the box needs, at the result's width already."""
    top, bottom = _hull(box.top, box.height, math.ceil(box.height), _FILTERS[kernel][1], pixels.shape[0])
    rows = Box(box.left, 0.0, box.width, float(bottom - top))
    narrow = _convolve_strips(pixels[top:bottom], rows, width, bottom - top, kernel)
    return narrow, Box(0.0, box.top - top, float(width), box.height)


def _convolve_strips(pixels: Pixels, box: Box, width: int, height: int, kernel: Kernel) -> Pixels:
    """`_convolve` over as many rows at a time as are worth copying."""
    import numpy as np

    row_bytes = pixels.shape[1] * pixels.shape[2]
    down = box.height / height
    if row_bytes * box.height <= 2 * _STRIP_BYTES:
        return _convolve(pixels, box, width, height, kernel)
    rows = max(1, int(_STRIP_BYTES / row_bytes / max(down, 1)))
    result = np.empty((height, width, pixels.shape[2]), np.uint8)
    for first in range(0, height, rows):
        count = min(rows, height - first)
        part = Box(box.left, box.top + first * down, box.width, count * down)
        result[first : first + count] = _convolve(pixels, part, width, count, kernel)
    return result


def _convolve(pixels: Pixels, box: Box, width: int, height: int, kernel: Kernel) -> Pixels:
    import numpy as np

    name, reach = _FILTERS[kernel]
    left, right = _hull(box.left, box.width, width, reach, pixels.shape[1])
    top, bottom = _hull(box.top, box.height, height, reach, pixels.shape[0])
    source = pixels[top:bottom, left:right]
    _reserve(source, width, height)
    cykooz = _cykooz()
    kind = {1: cykooz.PixelType.U8, 3: cykooz.PixelType.U8x3, 4: cykooz.PixelType.U8x4}[pixels.shape[2]]
    target = cykooz.ImageData(width, height, kind)
    _resizer().resize(
        cykooz.ImageData(right - left, bottom - top, kind, source.tobytes()),
        target,
        cykooz.ResizeOptions(
            cykooz.ResizeAlg.convolution(cykooz.FilterType[name]),
            use_alpha=pixels.shape[2] == 4,
            crop_box=cykooz.CropBox(
                box.left - left,
                box.top - top,
                # The library refuses a box that sticks out by no more than a rounding error.
                min(box.width, right - box.left),
                min(box.height, bottom - box.top),
            ),
        ),
    )
    return np.frombuffer(target.get_buffer(), np.uint8).reshape(height, width, pixels.shape[2])


def _reserve(source: Pixels, width: int, height: int) -> None:
    """Raise MemoryError where there is no room for what the library is about to allocate: it would abort the process.

    It makes a copy of the source, another one multiplied by alpha, the result, and a picture between the two.
    """
    import numpy as np

    rows, columns, channels = source.shape
    between = max(rows * width, height * columns)
    np.empty((2 * rows * columns + width * height + between) * channels + _CONVOLUTION_BYTES, np.uint8)


def _hull(first: float, length: float, result: int, reach: int, limit: int) -> tuple[int, int]:
    """Source pixels on one axis that the kernel reads: only these are copied."""
    margin = reach * max(1.0, length / result) + 1
    return max(0, math.floor(first - margin)), min(limit, math.ceil(first + length + margin))


@functools.cache
def _resizer() -> Any:
    return _cykooz().Resizer()


def _cykooz() -> Any:
    import cykooz_resizer  # type: ignore[import-untyped]  # it has annotations, but no py.typed

    return cykooz_resizer
