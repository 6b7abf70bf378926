"""Colour profiles (ICC): the colours that a file means become those of sRGB, by littlecms through Pillow.

Perceptual intent, and nothing else asked for: what libvips does. A profile that cannot be read, or that is for other
colours than the picture has, is passed over, as in every browser: the picture is taken to be in sRGB.
"""

from __future__ import annotations

import functools
import hashlib
import io
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Literal, Protocol

from stages.shortage import check_room
from stages.strips import strips

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsProfile

    from stages.raster import Pixels

Kind = Literal["GRAY", "RGB", "CMYK"]
"""Colours that a picture is stored in."""

PROFILE_BYTES_MAX: Final = 4 << 20
"""Of a printer's profile with tables of the finest grid in use it is some 3 MiB. A longer one is passed over."""

_CLASSES: Final = frozenset({"mntr", "scnr", "prtr", "spac"})
"""Device classes that describe the colours of a picture; links, abstract and named ones do not."""
_CHANNELS: Final[dict[Kind, tuple[int, ...]]] = {"GRAY": (1, 3, 4), "RGB": (3, 4), "CMYK": (4,)}
"""In which pixels of these colours may lie."""
_CONVERSIONS_KEPT: Final = 16
_ROOM_BYTES: Final = 64 << 20
"""More than littlecms takes to prepare any conversion."""
_NOTICED_FROM: Final = 2
"""A profile that moves no colour of a coarse grid by so many steps means sRGB: converting would be lost time."""


class Conversion(Protocol):
    """Writes the sRGB colours of `pixels` into `target`: height x width x channels both. They may be the same."""

    def __call__(self, pixels: Pixels, target: Pixels) -> None: ...  # noqa: D102


_conversions: Final[OrderedDict[tuple[bytes, Kind, int], Conversion | None]] = OrderedDict()


def convert(pixels: Pixels, profile: bytes, kind: Kind) -> None:
    """Make pixels of GRAY, RGB or RGBA those of sRGB, in place. `kind` is what the file has: grey may lie as RGBA."""
    conversion = conversion_from(profile, kind, pixels.shape[2])
    if conversion is not None:
        conversion(pixels, pixels)


def warm() -> None:
    """Load littlecms, and have it convert something."""
    import numpy as np

    convert(np.zeros((1, 1, 3), np.uint8), _srgb().tobytes(), "RGB")


def conversion_from(profile: bytes, kind: Kind, channels: int) -> Conversion | None:
    """Find how to convert pixels of so many channels; None where there is nothing to do, or the profile is no use."""
    if len(profile) > PROFILE_BYTES_MAX or channels not in _CHANNELS[kind]:
        return None
    # By a digest that nobody can forge: one producer's profile must not pass for another's.
    key = hashlib.blake2b(profile, digest_size=16).digest(), kind, channels
    if key not in _conversions:
        _conversions[key] = _made(profile, kind, channels)
        if len(_conversions) > _CONVERSIONS_KEPT:
            _conversions.popitem(last=False)
    _conversions.move_to_end(key)
    return _conversions[key]


def _made(profile: bytes, kind: Kind, channels: int) -> Conversion | None:
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != kind or source.profile.device_class not in _CLASSES:
            return None
        if kind == "GRAY":
            return _gray(source)
        return _inks(source) if kind == "CMYK" else _colors(source, "RGB" if channels == 3 else "RGBA")
    except (ImageCms.PyCMSError, OSError, ValueError):
        # It does not say whether the profile or the memory was at fault.
        check_room(_ROOM_BYTES)
        return None


def _gray(source: ImageCmsProfile) -> Conversion | None:
    """A table for each grey: what is grey there is grey in sRGB."""
    import numpy as np
    from PIL import Image, ImageCms

    transform = ImageCms.buildTransform(source, _srgb(), "L", "RGB")
    ramp = np.arange(256, dtype=np.uint8)
    colors = ImageCms.applyTransform(Image.fromarray(ramp[np.newaxis]), transform)
    table = np.asarray(colors)[0, :, 1].copy()  # green, which is most of what is seen
    if _is_unnoticed(ramp, table):
        return None

    def convert_grays(pixels: Pixels, target: Pixels) -> None:
        gray = slice(0, min(pixels.shape[2], 3))
        for rows in strips(pixels):
            target[rows, :, gray] = table[pixels[rows, :, gray]]

    return convert_grays


def _colors(source: ImageCmsProfile, mode: str) -> Conversion | None:
    import numpy as np
    from PIL import Image, ImageCms

    transform = ImageCms.buildTransform(source, _srgb(), mode, mode)

    def convert_colors(pixels: Pixels, target: Pixels) -> None:
        for rows in strips(pixels):
            # Into a picture of its own: one of four channels may lie where `pixels` do.
            target[rows] = np.asarray(ImageCms.applyTransform(Image.fromarray(pixels[rows], mode), transform))

    grid = _grid(len(mode))
    moved = np.empty_like(grid)
    convert_colors(grid, moved)
    return None if _is_unnoticed(grid, moved) else convert_colors


def _inks(source: ImageCmsProfile) -> Conversion:
    import numpy as np
    from PIL import Image, ImageCms

    transform = ImageCms.buildTransform(source, _srgb(), "CMYK", "RGB")

    def convert_inks(pixels: Pixels, target: Pixels) -> None:
        for rows in strips(pixels):
            target[rows] = np.asarray(ImageCms.applyTransform(Image.fromarray(pixels[rows], "CMYK"), transform))

    return convert_inks


@functools.cache
def _srgb() -> ImageCmsProfile:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _grid(channels: int) -> Pixels:
    """Colours 1/8 apart in each of three channels; opaque if there is a fourth."""
    import numpy as np

    steps = np.linspace(0, 255, 9).astype(np.uint8)
    colors = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    if channels == 3:
        return colors
    return np.concatenate([colors, np.full((1, colors.shape[1], 1), 255, np.uint8)], axis=2)


def _is_unnoticed(before: Pixels, after: Pixels) -> bool:
    import numpy as np

    return int(np.abs(before.astype(np.int16) - after).max()) < _NOTICED_FROM
