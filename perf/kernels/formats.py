"""The formats, with a photograph: decoding, shrinking while decoding, encoding."""

import io
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pyvips  # type: ignore[import-untyped]  # it has annotations, but no py.typed
from PIL import Image

from perf.kernels.case import OURS, PILLOW, RMSE_MAX, VIPS, Case, Photograph, Work
from perf.kernels.operations import WIDTH
from perf.kernels.stage import decoding, encoding, shrinking
from stages.encodings import AvifEncoding, Encoding, JpegEncoding, PngEncoding, WebpEncoding
from stages.operations.resize import Resize
from tests.photographs import photograph_mosaic
from tests.pngs import png


def cases(width: int = WIDTH) -> Iterator[Case]:
    """All of them."""
    files = _files(width)
    small = (width // 4, width * 3 // 16)
    for name, data in files.items():
        yield Case(
            f"decode {name}",
            {OURS: decoding(data), VIPS: _by_vips(data), PILLOW: _by_pillow(data)},
            # Without a profile of its own, libvips takes one that it brings; we and Pillow have a formula.
            rmse_max=30.0 if "CMYK" in name else RMSE_MAX,
        )
    for name in ("jpeg 4:2:0", "jpeg progressive", "png RGB", "webp lossy"):
        yield Case(
            f"decode {name}, resize to a quarter",
            {
                OURS: shrinking(files[name], Resize(*small, fit="fill")),
                VIPS: _thumbnail_by_vips(files[name], small),
                PILLOW: _thumbnail_by_pillow(files[name], small),
            },
            rmse_max=5.0,  # libvips has libwebp scale
        )
    yield from encoding_cases(width)


def _photograph(width: int) -> Image.Image:
    return photograph_mosaic(width).crop((0, 0, width, width * 3 // 4))


def _files(width: int) -> dict[str, bytes]:
    image = _photograph(width)
    deep = np.asarray(image).astype(np.uint16) * 257
    return {
        "jpeg 4:2:0": _saved(image, "JPEG", quality=85),
        "jpeg 4:4:4": _saved(image, "JPEG", quality=85, subsampling="4:4:4"),
        "jpeg progressive": _saved(image, "JPEG", quality=85, progressive=True),
        "jpeg grey": _saved(image.convert("L"), "JPEG", quality=85),
        "jpeg CMYK": _saved(image.convert("CMYK"), "JPEG", quality=85),
        "png RGB": _saved(image, "PNG"),
        "png RGB 16": png(deep, depth=16),
        "png palette": _saved(image.quantize(256), "PNG"),
        "webp lossy": _saved(image, "WEBP", quality=85, method=2),
        "webp lossless": _saved(image, "WEBP", lossless=True, method=0),
        "avif": _saved(image, "AVIF", quality=75, speed=9),
        "gif": _saved(image, "GIF"),
    }


def _saved(image: Image.Image, format: str, **options: Any) -> bytes:  # noqa: A002  # Pillow's own word
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def _by_vips(data: bytes) -> Work:
    def work() -> Any:
        image = pyvips.Image.new_from_buffer(data, "")
        if image.interpretation not in ("srgb", "b-w"):
            image = image.colourspace("srgb")
        return image.copy_memory()

    return work


def _by_pillow(data: bytes) -> Work:
    def work() -> Image.Image:
        image: Image.Image = Image.open(io.BytesIO(data))
        image.load()
        return image.convert("RGB") if image.mode in ("CMYK", "P") else image

    return work


def _thumbnail_by_vips(data: bytes, size: tuple[int, int]) -> Work:
    return lambda: pyvips.Image.thumbnail_buffer(data, size[0], height=size[1], size="force").copy_memory()


def _thumbnail_by_pillow(data: bytes, size: tuple[int, int]) -> Work:
    def work() -> Image.Image:
        image = Image.open(io.BytesIO(data))
        image.thumbnail(size, Image.Resampling.LANCZOS)
        return image

    return work


def encoding_cases(width: int = WIDTH) -> Iterator[Case]:
    """Encoding alone. Options mean the same: the same effort of the same library, where it is the same."""
    one = Photograph.of(_photograph(width))
    wanted: dict[str, tuple[Encoding, dict[str, Any], dict[str, Any]]] = {
        "jpeg": (
            JpegEncoding(),
            {"Q": 80, "subsample_mode": "on"},
            {"format": "JPEG", "quality": 80, "subsampling": "4:2:0"},
        ),
        "jpeg progressive": (
            JpegEncoding(progressive=True),
            {"Q": 80, "subsample_mode": "on", "interlace": True},
            {"format": "JPEG", "quality": 80, "subsampling": "4:2:0", "progressive": True},
        ),
        "png": (PngEncoding(), {"compression": 4, "filter": "all"}, {"format": "PNG", "compress_level": 4}),
        "webp": (WebpEncoding(), {"Q": 80, "effort": 2}, {"format": "WEBP", "quality": 80, "method": 2}),
        "webp lossless": (
            WebpEncoding(lossless=True),
            {"lossless": True, "effort": 2},
            {"format": "WEBP", "lossless": True, "method": 2},
        ),
        "avif": (
            AvifEncoding(),
            {"compression": "av1", "Q": 80, "effort": 1, "bitdepth": 8, "subsample_mode": "on"},
            {"format": "AVIF", "quality": 80, "speed": 8, "max_threads": 1},
        ),
    }
    for name, (options, vips, pillow) in wanted.items():
        yield Case(
            f"encode {name}",
            {
                OURS: encoding(one.pixels, options),
                VIPS: _saving(one.vips, name, vips),
                PILLOW: partial(_saved, one.pillow, **pillow),
            },
        )


def _saving(image: Any, name: str, options: dict[str, Any]) -> Work:
    saver = {"j": image.jpegsave_buffer, "p": image.pngsave_buffer, "w": image.webpsave_buffer}
    save = saver.get(name[0], image.heifsave_buffer)
    return lambda: bytes(save(keep="none", **options))
