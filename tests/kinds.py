"""One photograph as a file of every kind that is taken, and how Pillow sees each of them.

Wherever the format can tell it, a file of one frame says that it is to be turned a quarter clockwise: EXIF
orientation 6.
"""

import functools
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tests import pngs
from tests.photographs import photograph_mosaic

SIDES: Final = (240, 180)
ORIENTATION: Final = 6
TURNED: Final = frozenset({"jpeg", "png", "webp", "avif"})
"""Formats that can tell an orientation; animations here do not."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to write a picture."""

    format: str
    make: Callable[[], bytes]
    channels: int = 3
    """Of the picture that comes out of it: 1, 3 or 4."""
    page: int = 0
    raw: str | None = None
    """Layout of raw pixels."""

    @property
    def is_turned(self) -> bool:
        """Whether its files tell an orientation."""
        return self.format in TURNED and not self.page

    def input(self) -> dict[str, Any] | None:
        """What a request says of it."""
        if self.raw is not None:
            return {"format": "raw", "width": SIDES[0], "height": SIDES[1], "layout": self.raw}
        return {"page": self.page} if self.page else None


def seen_by_pillow(kind: Kind, *, upright: bool) -> Image.Image:
    """The picture in a mode of 8 bits a channel: L, RGB or RGBA, turned as the file says if it is to be `upright`."""
    if kind.raw is not None:
        return _original(kind.channels)
    file = Image.open(io.BytesIO(kind.make()))
    file.seek(kind.page)
    image = ImageOps.exif_transpose(file) if upright else file
    if image.mode == "I;16":
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8))
    return image.convert({1: "L", 3: "RGB", 4: "RGBA"}[kind.channels])


def _original(channels: int) -> Image.Image:
    return {1: gray, 3: colors, 4: translucent}[channels]()


@functools.cache
def colors() -> Image.Image:
    """Real detail, in which every place differs from every other."""
    return photograph_mosaic(512).crop((120, 60, 120 + SIDES[0], 60 + SIDES[1]))


@functools.cache
def gray() -> Image.Image:
    return colors().convert("L")


@functools.cache
def translucent() -> Image.Image:
    """With alpha of every value, and a corner where there is nothing."""
    image = colors().copy()
    alpha = Image.radial_gradient("L").resize(SIDES).point(lambda value: max(0, 255 - value))
    alpha.paste(0, (0, 0, 40, 30))
    image.putalpha(alpha)
    return image


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = ORIENTATION
    return exif.tobytes()


def _by_pillow(format: str, source: Callable[[], Image.Image], **options: Any) -> Callable[[], bytes]:  # noqa: A002  # Pillow's own word
    @functools.cache
    def make() -> bytes:
        stream = io.BytesIO()
        exif = {"exif": _exif()} if format.lower() in TURNED else {}
        source().save(stream, format, **exif, **options)
        return stream.getvalue()

    return make


def _several(format: str, **options: Any) -> Callable[[], bytes]:  # noqa: A002
    """Three frames, of which the last is the photograph. Upright: Pillow 13 dies of an animated AVIF with EXIF."""

    @functools.cache
    def make() -> bytes:
        stream = io.BytesIO()
        others = [ImageOps.mirror(colors()), colors()]
        ImageOps.flip(colors()).save(stream, format, save_all=True, append_images=others, **options)
        return stream.getvalue()

    return make


def _png(color: int, depth: int, *, interlaced: bool = False, more: bytes = b"") -> Callable[[], bytes]:
    @functools.cache
    def make() -> bytes:
        exif = pngs.chunk(b"eXIf", _exif().removeprefix(b"Exif\0\0"))
        return pngs.png(_samples(color, depth), color, depth, interlaced=interlaced, before=more + exif)

    return make


def _samples(color: int, depth: int) -> NDArray[Any]:
    """The photograph in so many bits a channel; in 16, the lower ones differ from the upper."""
    channels = pngs.CHANNELS[color]
    if channels in (2, 4):
        pixels = np.asarray(translucent())
        if channels == 2:
            pixels = np.dstack([np.asarray(gray()), pixels[..., 3]])
    else:
        pixels = np.asarray(colors() if channels == 3 else gray()).reshape(SIDES[1], SIDES[0], channels)
    if depth == 16:
        chance = np.random.default_rng(7).integers(0, 256, pixels.shape)
        return pixels.astype(np.uint16) << 8 | chance.astype(np.uint16)
    return pixels >> (8 - depth)


def _palette(count: int, *, transparent: bool = False) -> bytes:
    """Colours from dark blue to bright yellow; the first ones less and less transparent."""
    ramp = np.linspace(0, 255, count).astype(np.uint8)
    chunks = pngs.chunk(b"PLTE", np.stack([ramp, ramp, 255 - ramp], axis=1).tobytes())
    return chunks + pngs.chunk(b"tRNS", bytes(range(0, 200, 2))) if transparent else chunks


def _with_hole() -> Image.Image:
    """A palette of which one colour is transparent."""
    image = colors().quantize(255)
    image.paste(255, (0, 0, 60, 60))
    return image


def _raw(layout: str, source: Callable[[], Image.Image]) -> Callable[[], bytes]:
    def make() -> bytes:
        pixels = np.asarray(source())
        if layout in ("BGR", "BGRA"):
            pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
        return pixels.tobytes()

    return make


_G, _GA, _P = pngs.GREY, pngs.GREY_ALPHA, pngs.PALETTE

KINDS: Final[Mapping[str, Kind]] = {
    "jpeg 4:2:0": Kind("jpeg", _by_pillow("JPEG", colors, quality=90)),
    "jpeg 4:2:2": Kind("jpeg", _by_pillow("JPEG", colors, quality=90, subsampling="4:2:2")),
    "jpeg 4:4:4": Kind("jpeg", _by_pillow("JPEG", colors, quality=90, subsampling="4:4:4")),
    "jpeg progressive": Kind("jpeg", _by_pillow("JPEG", colors, quality=90, progressive=True)),
    "jpeg restarts": Kind("jpeg", _by_pillow("JPEG", colors, quality=90, restart_marker_blocks=3)),
    "jpeg grey": Kind("jpeg", _by_pillow("JPEG", gray, quality=90), channels=1),
    "jpeg CMYK": Kind("jpeg", _by_pillow("JPEG", lambda: colors().convert("CMYK"), quality=90)),
    "png grey 1": Kind("png", _png(_G, 1), channels=1),
    "png grey 2": Kind("png", _png(_G, 2), channels=1),
    "png grey 4": Kind("png", _png(_G, 4), channels=1),
    "png grey 8": Kind("png", _png(_G, 8), channels=1),
    "png grey 16": Kind("png", _png(_G, 16), channels=1),
    "png grey interlaced": Kind("png", _png(_G, 8, interlaced=True), channels=1),
    "png grey and a hole": Kind("png", _png(_G, 8, more=pngs.chunk(b"tRNS", b"\0\x50")), channels=4),
    "png grey alpha 8": Kind("png", _png(_GA, 8), channels=4),
    "png grey alpha 16": Kind("png", _png(_GA, 16), channels=4),
    "png RGB 8": Kind("png", _png(pngs.RGB, 8)),
    "png RGB 16": Kind("png", _png(pngs.RGB, 16)),
    "png RGB interlaced": Kind("png", _png(pngs.RGB, 8, interlaced=True)),
    "png RGB 16 interlaced": Kind("png", _png(pngs.RGB, 16, interlaced=True)),
    "png RGBA 8": Kind("png", _png(pngs.RGBA, 8), channels=4),
    "png RGBA 16": Kind("png", _png(pngs.RGBA, 16), channels=4),
    "png RGBA interlaced": Kind("png", _png(pngs.RGBA, 8, interlaced=True), channels=4),
    "png palette 1": Kind("png", _png(_P, 1, more=_palette(2))),
    "png palette 2": Kind("png", _png(_P, 2, more=_palette(4))),
    "png palette 4": Kind("png", _png(_P, 4, more=_palette(16))),
    "png palette 8": Kind("png", _png(_P, 8, more=_palette(256))),
    "png palette alpha": Kind("png", _png(_P, 8, more=_palette(256, transparent=True)), channels=4),
    "webp lossy": Kind("webp", _by_pillow("WEBP", colors, quality=90, method=0)),
    "webp lossless": Kind("webp", _by_pillow("WEBP", colors, lossless=True, method=0)),
    "webp lossy alpha": Kind("webp", _by_pillow("WEBP", translucent, quality=90, method=0), channels=4),
    "webp lossless alpha": Kind("webp", _by_pillow("WEBP", translucent, lossless=True, method=0), channels=4),
    "webp page 2": Kind("webp", _several("WEBP", lossless=True, method=0), channels=4, page=2),
    "avif": Kind("avif", _by_pillow("AVIF", colors, quality=80, speed=10)),
    "avif 4:4:4": Kind("avif", _by_pillow("AVIF", colors, quality=80, speed=10, subsampling="4:4:4")),
    "avif alpha": Kind("avif", _by_pillow("AVIF", translucent, quality=80, speed=10), channels=4),
    "avif page 2": Kind("avif", _several("AVIF", quality=80, speed=10), page=2),
    "gif": Kind("gif", _by_pillow("GIF", colors)),
    "gif interlaced": Kind("gif", _by_pillow("GIF", lambda: colors().quantize(64), interlace=1)),
    "gif and a hole": Kind("gif", _by_pillow("GIF", _with_hole, transparency=255), channels=4),
    "gif page 2": Kind("gif", _several("GIF"), channels=4, page=2),
    "raw GRAY": Kind("raw", _raw("GRAY", gray), channels=1, raw="GRAY"),
    "raw RGB": Kind("raw", _raw("RGB", colors), raw="RGB"),
    "raw BGR": Kind("raw", _raw("BGR", colors), raw="BGR"),
    "raw RGBA": Kind("raw", _raw("RGBA", translucent), channels=4, raw="RGBA"),
    "raw BGRA": Kind("raw", _raw("BGRA", translucent), channels=4, raw="BGRA"),
}
