"""Overlays as a worker keeps them: decoded once, told apart by their files, and within bounds."""

import functools
import io

import numpy as np
import pytest
from PIL import Image

from ipc.errors import ErrorCode, FrameError
from ipc.messages import Overlay, Transform
from ipc.pixels import Geometry, Layout
from stages import overlays as module
from stages.limits import Limits
from stages.operations import encode_operations
from stages.operations.composite import Composite
from stages.overlays import Decoded, Shelf, View, decoded_overlays, seen
from stages.raster import Raster
from stages.transform import transform
from tests.oracles import Pixels, pillow_image, sample
from tests.stages.arenas import Arena

LOGO = np.ascontiguousarray(sample(Layout.RGBA, "chelsea.png")[::4, ::4])
GEOMETRY = Geometry(LOGO.shape[1], LOGO.shape[0], Layout.RGBA)
PICTURE = Geometry(200, 150, Layout.RGB)
LIMITS = Limits(1000, 1_000_000)


def png(pixels: Pixels) -> bytes:
    stream = io.BytesIO()
    pillow_image(pixels).save(stream, "PNG")
    return stream.getvalue()


def blank(side: int) -> Raster:
    return Raster.whole(np.zeros((side, side, 4), np.uint8), Geometry(side, side, Layout.RGBA))


def composed(arena: Arena, file: bytes, digest: int, operation: Composite) -> Pixels:
    """What the transform stage makes of a black picture and an overlay whose file lies in the arena."""
    arena.write(0, bytes(PICTURE.bytes))
    arena.write(2, file)
    overlay = Overlay("logo", arena.extents[2], "png", GEOMETRY, digest)
    operations = encode_operations((operation,))
    step = Transform(arena.extents[0], arena.extents[1], PICTURE, PICTURE, operations, PICTURE, [overlay])
    transform(step, arena.view, LIMITS)
    return arena.read(1, PICTURE)


def test_overlay_is_decoded_from_the_arena_and_nothing_of_that_is_held() -> None:
    """The arena's extents are given to others after the frame."""
    file = png(LOGO)
    arena = Arena(PICTURE.bytes, PICTURE.bytes, len(file))
    result = composed(arena, file, 101, Composite("logo", left=0, top=0))
    arena.close()
    share = LOGO[..., 3:] / 255

    assert np.abs(result[: GEOMETRY.height, : GEOMETRY.width] - LOGO[..., :3] * share).max() <= 0.51
    assert result[GEOMETRY.height :].max() == 0


def test_overlay_is_decoded_once_for_each_digest() -> None:
    """The second file is not looked at, since its digest is known; the third is."""
    first, second = png(LOGO), png(np.full_like(LOGO, 255))
    arena = Arena(PICTURE.bytes, PICTURE.bytes, max(len(first), len(second)))
    here = Composite("logo", left=0, top=0)
    seen_first = composed(arena, first, 102, here)

    assert np.array_equal(composed(arena, second, 102, here), seen_first)
    assert composed(arena, second, 103, here)[: GEOMETRY.height, : GEOMETRY.width].min() == 255
    arena.close()


def test_overlay_of_a_known_digest_is_the_very_same() -> None:
    file = png(LOGO)
    arena = Arena(len(file))
    arena.write(0, file)
    one, other = (Overlay(name, arena.extents[0], "png", GEOMETRY, 108) for name in ("one", "other"))
    decoded = decoded_overlays([one, other], arena.view)

    assert decoded["one"] is decoded["other"] is decoded_overlays([one], arena.view)["one"]
    assert not decoded["one"].pixels.flags.writeable


def test_overlay_that_cannot_be_decoded_is_named() -> None:
    file = png(LOGO)[:-100]
    arena = Arena(PICTURE.bytes, PICTURE.bytes, len(file))
    with pytest.raises(FrameError, match="overlay logo: ") as refusal:
        composed(arena, file, 104, Composite("logo"))

    assert refusal.value.code is ErrorCode.BAD_IMAGE


def test_no_overlays_are_no_work() -> None:
    assert decoded_overlays([], memoryview(b"")) == {}


def test_seen_part_is_kept_by_overlay_view_and_layout() -> None:
    whole = Raster.whole(LOGO, GEOMETRY)
    overlay = Decoded(whole.pixels, whole.nominal, whole.box, digest=105)
    view = View(50, 40, 0, 0, 50, 40)
    first = seen(overlay, view, Layout.RGBA)

    assert seen(overlay, view, Layout.RGBA) is first
    assert seen(overlay, view, Layout.BGRA) is not first
    assert seen(overlay, View(50, 40, 1, 0, 49, 40), Layout.RGBA).nominal == Geometry(49, 40, Layout.RGBA)
    assert seen(Decoded(whole.pixels, whole.nominal, whole.box, digest=106), view, Layout.RGBA) is not first
    assert seen(whole, view, Layout.RGBA) is not seen(whole, view, Layout.RGBA)


def test_shelf_gives_what_was_made_and_forgets_what_was_used_longest_ago() -> None:
    shelf: Shelf[str] = Shelf(3 * 400)
    rasters = {key: shelf.find(key, lambda: blank(10)) for key in "abc"}
    assert shelf.find("a", lambda: blank(10)) is rasters["a"]
    shelf.find("d", lambda: blank(10))

    assert shelf.bytes == 1200
    assert shelf.find("a", lambda: blank(10)) is rasters["a"]
    assert shelf.find("c", lambda: blank(10)) is rasters["c"]
    assert shelf.find("b", lambda: blank(10)) is not rasters["b"]


def test_shelf_is_bounded_by_bytes_and_by_count() -> None:
    shelf: Shelf[int] = Shelf(100_000)
    small = shelf.find(-2, lambda: blank(10))
    shelf.find(-1, lambda: blank(1000))
    assert (len(shelf), shelf.bytes) == (1, 400)
    assert shelf.find(-2, lambda: blank(10)) is small
    for key in range(500):
        shelf.find(key, functools.partial(blank, 1 + key % 90))
        assert shelf.bytes <= 100_000
        assert len(shelf) <= module._KEPT_MAX
    for key in range(500, 700):
        shelf.find(key, lambda: blank(2))
    assert (len(shelf), shelf.bytes) == (module._KEPT_MAX, module._KEPT_MAX * 16)


def test_shelf_keeps_nothing_of_what_could_not_be_made() -> None:
    shelf: Shelf[str] = Shelf(1000)

    def refuse() -> Raster:
        raise FrameError(ErrorCode.BAD_IMAGE, "no")

    with pytest.raises(FrameError):
        shelf.find("a", refuse)

    assert (len(shelf), shelf.bytes) == (0, 0)


def test_overlay_of_any_format_is_what_pillow_says() -> None:
    """A JPEG is without alpha and covers."""
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), (250, 10, 20)).save(stream, "JPEG", quality=95)
    arena = Arena(len(stream.getvalue()))
    arena.write(0, stream.getvalue())
    overlay = Overlay("logo", arena.extents[0], "jpeg", Geometry(40, 30, Layout.RGB), 107)
    decoded = decoded_overlays([overlay], arena.view)["logo"]
    arena.close()

    assert np.abs(decoded.pixels.astype(int) - (250, 10, 20)).max() <= 3
