"""A case: one piece of work as this project does it, as libvips does, and as Pillow does."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyvips  # type: ignore[import-untyped]  # it has annotations, but no py.typed
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Work = Callable[[], Any]
"""Does it once. Returns pixels, a libvips image that is computed, a Pillow image that is loaded, or a file's bytes."""

OURS, VIPS, PILLOW = "ours", "libvips", "Pillow"
RMSE_MAX: Final = 3.0


@dataclass(frozen=True, slots=True)
class Case:
    """Who does not have such a thing is not among the `works`."""

    name: str
    works: Mapping[str, Work]
    rmse_max: float = RMSE_MAX
    """How far, in steps of 1/255, the others' pictures may be from ours: more would be other work."""


@dataclass(frozen=True, slots=True)
class Photograph:
    """One picture as each of the three has it in memory."""

    pixels: Pixels
    vips: Any = field(repr=False)
    pillow: Image.Image

    @classmethod
    def of(cls, image: Image.Image) -> "Photograph":
        """From a Pillow image of mode L, RGB or RGBA."""
        pixels = np.ascontiguousarray(np.asarray(image)).reshape(image.height, image.width, -1)
        bands = pixels.shape[2]
        kind = "b-w" if bands == 1 else "srgb"
        vips = pyvips.Image.new_from_memory(pixels.tobytes(), image.width, image.height, bands, "uchar")
        return cls(pixels, vips.copy(interpretation=kind), image)


def pixels_of(result: Any) -> Pixels:
    """What a work returned, as height x width x channels; alpha that is opaque everywhere is left out."""
    if isinstance(result, bytes):
        result = Image.open(io.BytesIO(result))
    if isinstance(result, pyvips.Image):
        result = np.frombuffer(result.write_to_memory(), np.uint8).reshape(result.height, result.width, result.bands)
    pixels: Pixels = np.asarray(result)
    pixels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    is_opaque = pixels.shape[2] == 4 and bool((pixels[..., 3] == 255).all())
    return pixels[..., :3] if is_opaque else pixels


def rmse(one: Pixels, other: Pixels) -> float:
    """Root of the mean squared difference of two pictures, in steps of 1/255; of other sizes, infinite.

    Colours count as far as they are seen.
    """
    if one.shape != other.shape:
        return float("inf")
    return float(np.sqrt(np.mean((_seen(one) - _seen(other)) ** 2)))


def _seen(pixels: Pixels) -> NDArray[np.float64]:
    values = pixels.astype(np.float64)
    if values.shape[2] == 4:
        values[..., :3] *= values[..., 3:] / 255
    return values
