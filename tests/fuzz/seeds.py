"""Seeds: small whole pictures of every kind that the probe knows, from which the changed ones come."""

import functools
import io
from collections.abc import Iterator
from typing import Any, Final

from PIL import Image, ImageCms

from tests.photographs import photograph_image
from tests.stages.jpegs import exif, with_segment

SIZE: Final = (26, 18)

Seed = tuple[str, bytes]


@functools.cache
def seeds() -> dict[str, bytes]:
    """All of them, by name."""
    return dict(_all())


def _all() -> Iterator[Seed]:
    yield from _jpegs()
    yield from _pngs()
    yield from _webps()
    yield from _avifs()
    yield from _gifs()


def _image(mode: str) -> Image.Image:
    image = photograph_image("chelsea.png").resize(SIZE)
    image.info.clear()  # with its profile, which is larger than the rest
    if mode.endswith("A"):
        image.putalpha(Image.linear_gradient("L").resize(SIZE))
    return image.convert(mode)


def _file(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _frames(mode: str) -> list[Image.Image]:
    return [_image(mode).rotate(angle) for angle in (30, 60)]


def _exif(orientation: int = 6) -> bytes:
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x013B] = "Somebody"
    block[0x8298] = "Copyright of somebody"
    return block.tobytes()


def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _jpegs() -> Iterator[Seed]:
    for mode in ("L", "RGB", "CMYK"):
        yield f"{mode}.jpg", _file(_image(mode), "JPEG")
    for sampling in range(3):
        yield f"sampling-{sampling}.jpg", _file(_image("RGB"), "JPEG", subsampling=sampling)
    yield "progressive.jpg", _file(_image("RGB"), "JPEG", progressive=True)
    yield "restarts.jpg", _file(_image("RGB"), "JPEG", restart_marker_blocks=1)
    yield "metadata.jpg", _file(_image("RGB"), "JPEG", exif=_exif(), icc_profile=_profile(), comment=b"seed")
    yield "orientation.jpg", with_segment(_file(_image("RGB"), "JPEG"), exif(6, ">"))


def _pngs() -> Iterator[Seed]:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        yield f"{mode}.png", _file(_image("L" if mode == "I;16" else mode).convert(mode), "PNG")
    yield "transparent.png", _file(_image("RGB"), "PNG", transparency=(1, 2, 3))
    yield "palette.png", _file(_image("RGB").quantize(4), "PNG", transparency=b"\0\x80", bits=2)
    yield "metadata.png", _file(_image("RGB"), "PNG", exif=_exif(), icc_profile=_profile())
    yield "animated.png", _file(_image("RGBA"), "PNG", save_all=True, append_images=_frames("RGBA"))


def _webps() -> Iterator[Seed]:
    for mode in ("RGB", "RGBA"):
        yield f"{mode}.webp", _file(_image(mode), "WEBP")
        yield f"{mode}-lossless.webp", _file(_image(mode), "WEBP", lossless=True)
        yield f"{mode}-animated.webp", _file(_image(mode), "WEBP", save_all=True, append_images=_frames(mode))
    yield "metadata.webp", _file(_image("RGB"), "WEBP", exif=_exif(), icc_profile=_profile())


def _avifs() -> Iterator[Seed]:
    for mode in ("L", "RGB", "RGBA"):
        yield f"{mode}.avif", _file(_image(mode), "AVIF", speed=10, quality=10)
        yield (
            f"{mode}-sequence.avif",
            _file(_image(mode), "AVIF", speed=10, quality=10, save_all=True, append_images=_frames(mode)),
        )
    for orientation in (5, 6):
        yield f"turned-{orientation}.avif", _file(_image("RGB"), "AVIF", speed=10, quality=10, exif=_exif(orientation))
    yield "profile.avif", _file(_image("RGB"), "AVIF", speed=10, quality=10, icc_profile=_profile())


def _gifs() -> Iterator[Seed]:
    for mode in ("1", "L", "P", "RGBA"):
        yield f"{mode}.gif", _file(_image(mode), "GIF")
    yield "animated.gif", _file(_image("RGB"), "GIF", save_all=True, append_images=_frames("RGB"), comment=b"seed")
    yield "transparent.gif", _file(_image("P"), "GIF", transparency=3, interlace=1)
