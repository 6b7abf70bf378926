"""The operations, on a photograph."""

import io
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from PIL import Image, ImageChops, ImageFilter, ImageOps

from perf.kernels.case import OURS, PILLOW, VIPS, Case, Photograph, Work
from perf.kernels.stage import transforming
from stages.operations.auto_orient import AutoOrient
from stages.operations.blur import Blur
from stages.operations.composite import Composite
from stages.operations.extend import Extend
from stages.operations.extract import Extract
from stages.operations.flatten import Flatten
from stages.operations.flip import Flip
from stages.operations.flop import Flop
from stages.operations.gamma import Gamma
from stages.operations.grayscale import Grayscale
from stages.operations.linear import Linear
from stages.operations.median import Median
from stages.operations.modulate import Modulate
from stages.operations.negate import Negate
from stages.operations.normalise import Normalise
from stages.operations.resize import Resize
from stages.operations.rotate import Rotate
from stages.operations.sharpen import Sharpen
from stages.operations.threshold import Threshold
from stages.operations.tint import Tint
from stages.operations.trim import Trim
from stages.resample import Kernel
from stages.smartcrop import Interest
from tests.photographs import photograph_mosaic

WIDTH: Final = 1600
"""Of the photograph; its height is three quarters of that."""
LUMA: Final = [[0.299, 0.587, 0.114]]
WHITE: Final = (255, 255, 255)
GAMMA: Final = 2.2


def cases(width: int = WIDTH) -> Iterator[Case]:
    """All of them."""
    one = Photograph.of(photograph_mosaic(width).crop((0, 0, width, width * 3 // 4)))
    yield from _resizing(one)
    yield from _cutting(one)
    yield from _turning(one)
    yield from _about_a_pixel(one)
    yield from _by_value(one)
    yield from _colors(one)
    yield from _alpha(one)


def _case(name: str, ours: Work, vips: Any = None, pillow: Work | None = None, **options: Any) -> Case:
    """`vips` makes a libvips image, which is computed here."""
    works = {OURS: ours}
    if vips is not None:
        works[VIPS] = lambda: vips().copy_memory()
    if pillow is not None:
        works[PILLOW] = pillow
    return Case(name, works, **options)


def _resizing(one: Photograph) -> Iterator[Case]:
    pixels, vips, pillow = one.pixels, one.vips, one.pillow
    width, height = pillow.size
    small, large = (width // 4, height // 4), (width * 3 // 2, height * 3 // 2)
    filters: dict[Kernel, Image.Resampling | None] = {
        "lanczos3": Image.Resampling.LANCZOS,
        "cubic": Image.Resampling.BICUBIC,
        "mitchell": None,
        "linear": Image.Resampling.BILINEAR,
        "area": Image.Resampling.BOX,
        "nearest": Image.Resampling.NEAREST,
    }
    for kernel, method in filters.items():
        yield _case(
            f"resize to a quarter, {kernel}",
            transforming(pixels, [Resize(*small, fit="fill", kernel=kernel)]),
            partial(vips.shrink, 4, 4) if kernel == "area" else partial(vips.resize, 0.25, kernel=kernel),
            None if method is None else partial(pillow.resize, small, method),
        )
    yield _case(
        "resize to one and a half, lanczos3",
        transforming(pixels, [Resize(*large, fit="fill")]),
        lambda: vips.resize(1.5, kernel="lanczos3"),
        lambda: pillow.resize(large, Image.Resampling.LANCZOS),
        rmse_max=8.0,  # libvips enlarges by its bicubic kernel
    )
    interests: tuple[Interest, ...] = ("entropy", "attention")
    for interest in interests:
        yield _case(
            f"resize to a quarter and a square, {interest}",
            transforming(pixels, [Resize(small[1], small[1], position=interest)]),
            partial(_cropped, vips, small[1], interest),
        )


def _cropped(image: Any, side: int, interest: Interest) -> Any:
    return image.resize(0.25).smartcrop(side, side, interesting=interest)


def _cutting(one: Photograph) -> Iterator[Case]:
    pixels, vips, pillow = one.pixels, one.vips, one.pillow
    width, height = pillow.size
    left, top = width // 4, height // 4
    yield _case(
        "extract half of each side",
        transforming(pixels, [Extract(left, top, 2 * left, 2 * top)]),
        lambda: vips.crop(left, top, 2 * left, 2 * top),
        lambda: pillow.crop((left, top, 3 * left, 3 * top)),
    )
    framed = Photograph.of(ImageOps.expand(pillow.crop((0, 0, width - 200, height - 200)), 100, WHITE))
    yield _case(
        "trim 100 white pixels",
        transforming(framed.pixels, [Trim()]),
        lambda: framed.vips.crop(*framed.vips.find_trim(threshold=10, background=WHITE)),
        lambda: _trimmed(framed.pillow),
    )
    yield _case(
        "extend by 100 black pixels",
        transforming(pixels, [Extend(100, 100, 100, 100)]),
        lambda: vips.embed(100, 100, width + 200, height + 200, extend="black"),
        lambda: ImageOps.expand(pillow, 100),
    )
    yield _case(
        "extend by 100 mirrored pixels",
        transforming(pixels, [Extend(100, 100, 100, 100, source="mirror")]),
        lambda: vips.embed(100, 100, width + 200, height + 200, extend="mirror"),
    )


def _trimmed(image: Image.Image) -> Image.Image:
    differences = ImageChops.difference(image, Image.new("RGB", image.size, WHITE))
    return image.crop(differences.point([0] * 11 + [255] * 245 + ([0] * 11 + [255] * 245) * 2).getbbox())


def _turning(one: Photograph) -> Iterator[Case]:
    pixels, vips, pillow = one.pixels, one.vips, one.pillow
    turn = Image.Transpose
    yield _case("flip", transforming(pixels, [Flip()]), vips.flipver, lambda: pillow.transpose(turn.FLIP_TOP_BOTTOM))
    yield _case("flop", transforming(pixels, [Flop()]), vips.fliphor, lambda: pillow.transpose(turn.FLIP_LEFT_RIGHT))
    yield _case(
        "auto_orient of orientation 6",
        transforming(pixels, [AutoOrient()], orientation=6),
        vips.rot90,
        lambda: pillow.transpose(turn.ROTATE_270),
    )
    yield _case(
        "auto_orient of orientation 5",
        transforming(pixels, [AutoOrient()], orientation=5),
        lambda: vips.rot90().fliphor(),
        lambda: pillow.transpose(turn.TRANSPOSE),
    )
    yield _case(
        "rotate by 30 degrees",
        transforming(pixels, [Rotate(30)]),
        lambda: vips.similarity(angle=30, interpolate=_bicubic()),
        lambda: pillow.rotate(-30, Image.Resampling.BICUBIC, expand=True),
        rmse_max=float("inf"),  # the box that holds the corners is rounded in three ways
    )


def _bicubic() -> Any:
    import pyvips  # type: ignore[import-untyped]  # noqa: PLC0415  # it has annotations, but no py.typed

    return pyvips.Interpolate.new("bicubic")


def _about_a_pixel(one: Photograph) -> Iterator[Case]:
    pixels, vips, pillow = one.pixels, one.vips, one.pillow
    for sigma in (1.0, 3.0, 20.0):
        yield _case(
            f"blur, sigma {sigma:g}",
            transforming(pixels, [Blur(sigma)]),
            partial(vips.gaussblur, sigma),
            partial(pillow.filter, ImageFilter.GaussianBlur(sigma)),
            rmse_max=5.0,  # libvips cuts the kernel where it is a fifth of its middle
        )
    for size in (3, 5, 9):
        yield _case(
            f"median of {size} x {size}",
            transforming(pixels, [Median(size)]),
            partial(vips.median, size),
            partial(pillow.filter, ImageFilter.MedianFilter(size)),
        )
    yield _case(
        "sharpen, sigma 1.5",
        transforming(pixels, [Sharpen(1.5)]),
        lambda: (vips * 2 - vips.gaussblur(1.5)).cast("uchar"),
        lambda: pillow.filter(ImageFilter.UnsharpMask(1.5, 100, 0)),
    )


def _by_value(one: Photograph) -> Iterator[Case]:
    pixels, vips, pillow = one.pixels, one.vips, one.pillow
    bright = [round(255 * (value / 255) ** (1 / GAMMA)) for value in range(256)]
    line = [min(255, max(0, round(1.2 * value - 10))) for value in range(256)]
    yield _case(
        "gamma",
        transforming(pixels, [Gamma(GAMMA)]),
        lambda: vips.gamma(exponent=GAMMA),
        lambda: pillow.point(bright * 3),
    )
    yield _case(
        "linear",
        transforming(pixels, [Linear(1.2, -10)]),
        lambda: vips.linear(1.2, -10, uchar=True),
        lambda: pillow.point(line * 3),
    )
    yield _case("negate", transforming(pixels, [Negate()]), vips.invert, lambda: ImageOps.invert(pillow))
    yield _case(
        "gamma, linear, negate",
        transforming(pixels, [Gamma(GAMMA), Linear(1.2, -10), Negate()]),
        lambda: vips.gamma(exponent=GAMMA).linear(1.2, -10, uchar=True).invert(),
        lambda: ImageOps.invert(pillow.point(bright * 3).point(line * 3)),
    )


def _colors(one: Photograph) -> Iterator[Case]:
    pixels, vips, pillow = one.pixels, one.vips, one.pillow
    cut = [0] * 128 + [255] * 128
    yield _case(
        "grayscale",
        transforming(pixels, [Grayscale()]),
        lambda: vips.recomb(LUMA).rint().cast("uchar"),
        lambda: pillow.convert("L"),
    )
    yield _case(
        "threshold",
        transforming(pixels, [Threshold(128)]),
        lambda: vips.recomb(LUMA).rint() >= 128,
        lambda: pillow.convert("L").point(cut),
    )
    yield _case(
        "modulate",
        transforming(pixels, [Modulate(1.1, 1.3, 20)]),
        lambda: (vips.colourspace("lch") * [1.1, 1.3, 1] + [0, 0, 20]).copy(interpretation="lch").colourspace("srgb"),
    )
    # libvips rounds its percentiles to whole numbers.
    yield _case("normalise", transforming(pixels, [Normalise()]), lambda: _normalised(vips), rmse_max=12.0)
    yield _case("tint", transforming(pixels, [Tint((200, 120, 40))]), lambda: _tinted(vips))


def _normalised(image: Any) -> Any:
    lab = image.colourspace("lab")
    lightness = lab[0]
    black, white = lightness.percent(1), lightness.percent(99)
    factor = 100 / (white - black)
    return (lab * [factor, 1, 1] + [-black * factor, 0, 0]).copy(interpretation="lab").colourspace("srgb")


def _tinted(image: Any) -> Any:
    color = (image.new_from_image([200, 120, 40])).crop(0, 0, 1, 1).copy(interpretation="srgb").colourspace("lab")
    _, green_red, blue_yellow = color(0, 0)
    lab = image.colourspace("lab") * [1, 0, 0] + [0, green_red, blue_yellow]
    return lab.copy(interpretation="lab").colourspace("srgb")


def _alpha(one: Photograph) -> Iterator[Case]:
    translucent = one.pillow.copy()
    translucent.putalpha(Image.radial_gradient("L").resize(translucent.size))
    other = Photograph.of(translucent)
    small = (translucent.width // 4, translucent.height // 4)
    yield _case(
        "resize to a quarter with alpha, lanczos3",
        transforming(other.pixels, [Resize(*small, fit="fill")]),
        lambda: other.vips.premultiply().resize(0.25).unpremultiply().cast("uchar"),
        lambda: other.pillow.resize(small, Image.Resampling.LANCZOS),
    )
    yield _case(
        "flatten",
        transforming(other.pixels, [Flatten()]),
        other.vips.flatten,
        lambda: _flattened(other.pillow),
    )
    mark = Photograph.of(translucent.resize(small))
    stream = io.BytesIO()
    mark.pillow.save(stream, "PNG")
    yield _case(
        "composite a quarter of each side",
        transforming(one.pixels, [Composite("overlay", left=100, top=100)], overlay=stream.getvalue()),
        lambda: one.vips.composite2(mark.vips, "over", x=100, y=100).flatten(),
        lambda: _composited(one.pillow, mark.pillow),
    )


def _flattened(image: Image.Image) -> Image.Image:
    canvas = Image.new("RGB", image.size)
    canvas.paste(image, mask=image.getchannel("A"))
    return canvas


def _composited(image: Image.Image, mark: Image.Image) -> Image.Image:
    canvas = image.copy()
    canvas.paste(mark, (100, 100), mark)
    return canvas
