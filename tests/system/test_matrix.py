"""Every kind of picture that is taken, in every format that is made, plain and with operations, through a real daemon.

Pillow does the same to the same file: decodes, turns, resizes by its LANCZOS, takes the luma, and encodes at the same
quality. Ours may differ from what Pillow had before it encoded by no more than Pillow's own file does, and a tolerance.
"""

import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from omnishotd.client import Client, Picture
from tests.daemon import Daemon
from tests.kinds import KINDS, SIDES, seen_by_pillow

QUALITY: Final = 90
RESIZED: Final = (40, 30)


@dataclass(frozen=True, slots=True)
class FormatOut:
    """How it is asked for, and how Pillow is: at the same quality and with the same effort."""

    options: dict[str, Any]
    pillow: dict[str, Any] | None
    """None: raw pixels."""
    has_alpha: bool = True


FORMATS_OUT: Final = {
    "jpeg": FormatOut({"format": "jpeg", "quality": QUALITY}, {"format": "JPEG", "quality": QUALITY}, False),
    "jpeg progressive": FormatOut(
        {"format": "jpeg", "quality": QUALITY, "progressive": True},
        {"format": "JPEG", "quality": QUALITY, "progressive": True},
        False,
    ),
    "png": FormatOut({"format": "png"}, {"format": "PNG"}),
    "webp": FormatOut(
        {"format": "webp", "quality": QUALITY, "effort": 0}, {"format": "WEBP", "quality": QUALITY, "method": 0}
    ),
    "webp lossless": FormatOut(
        {"format": "webp", "lossless": True, "effort": 0}, {"format": "WEBP", "lossless": True, "method": 0}
    ),
    "avif": FormatOut(
        {"format": "avif", "quality": QUALITY, "effort": 0}, {"format": "AVIF", "quality": QUALITY, "speed": 10}
    ),
    "raw": FormatOut({"format": "raw"}, None),
}


@dataclass(frozen=True, slots=True)
class Work:
    """What is done between decoding and encoding."""

    operations: list[dict[str, Any]]
    by_pillow: Callable[[Image.Image], Image.Image]
    rmse: float
    """How much further than Pillow's file ours may be from the pixels that Pillow had before it encoded them: root of
    the mean squared difference, in steps of 1/255."""
    is_upright: bool = False


def _luma(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image.convert("L")
    luma = image.convert("L").convert("RGBA")
    luma.putalpha(image.getchannel("A"))
    return luma


WORKS: Final = {
    # Pixels are the same; JPEG's encoders, of two versions of libjpeg-turbo, are not quite.
    "re-encode": Work([], lambda image: image, 0.3),
    # Six times smaller, so the decoder of JPEG halves first.
    "resize": Work(
        [{"op": "resize", "width": RESIZED[0], "height": RESIZED[1], "fit": "fill"}],
        lambda image: image.resize(RESIZED, Image.Resampling.LANCZOS),
        1.1,
    ),
    "auto_orient": Work([{"op": "auto_orient"}], lambda image: image, 0.3, is_upright=True),
    "grayscale": Work([{"op": "grayscale"}], _luma, 0.3),
}


HARD: Final = frozenset({"png grey 1", "png palette 1"})
"""Kinds in which black meets white. Kernels overshoot there, and it shows that Pillow takes the rows first, and clips
them before it takes the columns."""


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Of a daemon for the whole matrix."""
    directory = Path(tempfile.mkdtemp(prefix="oms-"))
    with Daemon(directory) as daemon, Client(endpoint=daemon.endpoint) as one:
        yield one
    shutil.rmtree(directory)


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("kind", KINDS)
def test_picture_of_every_kind_comes_out_in_every_format_as_from_pillow(client: Client, kind: str, work: str) -> None:
    asked = [{"operations": WORKS[work].operations} | format_out.options for format_out in FORMATS_OUT.values()]

    result = client.process(KINDS[kind].make(), outputs=asked, input=KINDS[kind].input())

    wanted = WORKS[work].by_pillow(seen_by_pillow(KINDS[kind], upright=WORKS[work].is_upright))
    assert (result.input.format, result.input.width, result.input.height) == (KINDS[kind].format, *SIDES)
    assert len(result.outputs) == len(FORMATS_OUT)
    faults = [
        fault
        for (name, format_out), picture in zip(FORMATS_OUT.items(), result.outputs, strict=True)
        if (fault := difference(picture, wanted, format_out, WORKS[work].rmse * (2 if kind in HARD else 1)))
    ]
    assert not faults, "\n".join(faults)


def test_works_are_right_for_their_sides() -> None:
    """The photograph is no square, and no smaller than what is made of it: a turn not taken is seen."""
    turned = seen_by_pillow(KINDS["jpeg 4:2:0"], upright=True)

    assert turned.size == (SIDES[1], SIDES[0])
    assert {kind.format for kind in KINDS.values() if kind.is_turned} == {"jpeg", "png", "webp", "avif"}
    for kind in KINDS.values():
        assert (seen_by_pillow(kind, upright=True).size == turned.size) == kind.is_turned


def difference(picture: Picture, wanted: Image.Image, format_out: FormatOut, tolerance: float) -> str:
    """Say what is wrong with a picture; nothing if it is right."""
    name = f"{format_out.options}"
    if (picture.width, picture.height) != wanted.size:
        return f"{name}: {picture.width} x {picture.height}, not {wanted.width} x {wanted.height}"
    if not format_out.has_alpha:
        wanted = _on_black(wanted)
    ours = _opened(picture)
    if ours.size != wanted.size:
        return f"{name}: {ours.size} inside, {wanted.size} told"
    if _is_translucent(ours) != _is_translucent(wanted):
        return f"{name}: {ours.mode} in place of {wanted.mode}"
    own = 0.0 if format_out.pillow is None else _rmse(_by_pillow(wanted, format_out.pillow), wanted)
    found = _rmse(ours, wanted)
    if found > own + tolerance:
        return f"{name}: {found:.2f} from the pixels; Pillow's own {own:.2f}, tolerance {tolerance:g}"
    return ""


def _is_translucent(image: Image.Image) -> bool:
    """An encoder may leave out alpha that is opaque everywhere."""
    return image.mode == "RGBA" and int(np.asarray(image)[..., 3].min()) < 255


def _opened(picture: Picture) -> Image.Image:
    if picture.format == "raw":
        return Image.fromarray(picture.array())
    return Image.open(io.BytesIO(picture.data), formats=(picture.format.upper(),))


def _by_pillow(image: Image.Image, options: dict[str, Any]) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, **options)
    return Image.open(stream)


def _on_black(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, image).convert("RGB")


def _rmse(one: Image.Image, other: Image.Image) -> float:
    return float(np.sqrt(np.mean((_seen(one) - _seen(other)) ** 2)))


def _seen(image: Image.Image) -> NDArray[np.float64]:
    """Red, green and blue as far as they are seen, and alpha: colours of what is transparent mean nothing."""
    pixels = np.asarray(image.convert("RGBA")).astype(np.float64)
    pixels[..., :3] *= pixels[..., 3:] / 255
    return pixels
