"""Alpha: laying a picture on a colour, and colours weighted by it, so that what is not seen counts for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stages.raster import written_into
from stages.strips import strips

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.raster import Pixels


def is_opaque(pixels: Pixels) -> bool:
    """Whether there is no alpha, or none that lets anything through."""
    return pixels.shape[2] != 4 or bool(pixels[..., 3].min() == 255)


def flattened(pixels: Pixels, background: tuple[int, ...], target: Pixels | None = None) -> Pixels:
    """Height x width x 4 onto `background`, which has the first three channels' order: height x width x 3, rounded.

    The result lies in `target`, of its shape, where that is given.
    """
    import cv2
    import numpy as np

    result = np.empty((*pixels.shape[:2], 3), np.uint8) if target is None else target
    if is_opaque(pixels):
        return written_into(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB, dst=result), result)
    behind = np.empty((0, 0, 3), np.uint8)
    for rows in strips(pixels):
        strip = pixels[rows]
        if behind.shape[:2] != strip.shape[:2]:
            behind = np.full((*strip.shape[:2], 3), background[:3], np.uint8)
        cover = np.asarray(cv2.cvtColor(cv2.extractChannel(strip, 3), cv2.COLOR_GRAY2RGB), np.uint8)
        _mix(cv2.cvtColor(strip, cv2.COLOR_RGBA2RGB), cover, behind, result[rows])
    return result


def multiplied(pixels: Pixels) -> NDArray[np.uint16]:
    """Colours times alpha, and alpha times 255: exact, and to be averaged as they are. Height x width x 4."""
    import cv2
    import numpy as np

    factors = cv2.cvtColor(cv2.extractChannel(pixels, 3), cv2.COLOR_GRAY2RGBA)
    return np.multiply(pixels, factors, dtype=np.uint16)


def divided(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The reverse of `multiplied`, not rounded. Where alpha is none, colours are 0."""
    import cv2
    import numpy as np

    alpha = np.maximum(cv2.extractChannel(values, 3), np.float32(1e-3)) * np.float32(1 / 255)
    factors = cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGBA)
    factors[..., 3] = 255
    return np.asarray(cv2.divide(values, factors), np.float32)


def joined(colors: Pixels, pixels: Pixels, target: Pixels) -> Pixels:
    """`target`, height x width x 4, made of the first three channels of `colors` and the alpha of `pixels`."""
    import cv2

    sources: list[Any] = [colors, pixels]
    cv2.mixChannels(sources, [target], [0, 0, 1, 1, 2, 2, colors.shape[2] + 3, 3])
    return target


def lay_over(pixels: Pixels, target: Pixels, opacity: float = 1.0) -> None:
    """Lay `pixels`, height x width x 4, over `target`, of three or four channels in the same order (Porter and Duff).

    Alpha of `pixels` counts `opacity` times, 0 to 1.
    """
    import cv2
    import numpy as np

    if opacity < 1:
        table = np.repeat(np.arange(256)[:, np.newaxis], 4, axis=1)
        table[:, 3] = np.rint(table[:, 3] * opacity)
        pixels = np.asarray(cv2.LUT(pixels, table.astype(np.uint8).reshape(1, 256, 4)), np.uint8)
    lay = _lay_on_alpha if target.shape[2] == 4 else _lay_on_opaque
    for rows in strips(target):
        lay(pixels[rows], target[rows])


def _lay_on_opaque(pixels: Pixels, target: Pixels) -> None:
    import cv2
    import numpy as np

    cover = np.asarray(cv2.cvtColor(cv2.extractChannel(pixels, 3), cv2.COLOR_GRAY2RGB), np.uint8)
    _mix(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB), cover, target, target)


def _mix(colors: Any, cover: Pixels, behind: Pixels, target: Pixels) -> None:
    """`colors` as far as `cover` says, 0 to 255, and what is `behind`. The sum fits into 16 bits; only its division
    rounds."""
    import cv2
    import numpy as np

    total = np.multiply(colors, cover, dtype=np.uint16)
    total += np.multiply(behind, ~cover, dtype=np.uint16)
    written_into(cv2.convertScaleAbs(total, dst=target, alpha=1 / 255), target)


def _lay_on_alpha(pixels: Pixels, target: Pixels) -> None:
    import cv2
    import numpy as np

    share = np.float32(1) - cv2.extractChannel(pixels, 3) * np.float32(1 / 255)
    shares = cv2.merge([share, share, share, share])
    values = np.multiply(multiplied(target), shares, dtype=np.float32)
    values += multiplied(pixels)
    written_into(cv2.convertScaleAbs(divided(values), dst=target), target)
