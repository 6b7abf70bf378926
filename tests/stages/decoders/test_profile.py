"""Colour profiles against libvips, which has a littlecms of its own, given the pixels before any conversion."""

import io
import zlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pytest
import pyvips  # type: ignore[import-untyped]  # it has annotations, but no py.typed
from PIL import Image, ImageCms

from ipc.pixels import Layout
from stages.decoders import profile
from stages.decoders.profile import PROFILE_BYTES_MAX, convert
from tests.oracles import difference_max, sample
from tests.photographs import photograph
from tests.stages.arenas import Pixels, decoded_by_us
from tests.stages.decoders.gifs import Frame, gif
from tests.stages.decoders.pngs import chunk, png, profile_chunk
from tests.stages.decoders.profiles import ADOBE_RGB, DISPLAY_P3, SRGB, gray_profile, library_profile, rgb_profile
from tests.stages.jpegs import segment, with_segment

STEPS: Final = 1
"""libvips and Pillow bring littlecms of different releases; both work in 16 bits and round to 8."""
SCALED_STEPS: Final = 1
RGB: Final = {
    "Adobe RGB": rgb_profile(ADOBE_RGB),
    "Display P3": rgb_profile(DISPLAY_P3),
    "a dark display": rgb_profile(SRGB, gamma=1.2),
    "of libvips": library_profile("p3"),
}


@pytest.fixture(autouse=True)
def no_conversions_kept() -> Iterator[None]:
    profile._conversions.clear()
    yield
    profile._conversions.clear()


def written(pixels: Pixels, format_name: str, icc: bytes, **options: Any) -> bytes:
    stream = io.BytesIO()
    mode = "CMYK" if format_name == "CMYK" else None
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels, mode)
    image.save(stream, "JPEG" if mode else format_name, icc_profile=icc, **options)
    return stream.getvalue()


def by_vips(pixels: Pixels, icc: bytes, interpretation: str) -> Pixels:
    height, width, channels = pixels.shape
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(pixels).tobytes(), width, height, channels, "uchar")
    image = image.copy(interpretation=interpretation)
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", icc)
    result: Pixels = image.icc_transform("srgb", embedded=True, intent="perceptual").numpy()
    return result


def noise(channels: int) -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (300, 200, channels)).astype(np.uint8)


@pytest.mark.parametrize("icc", RGB.values(), ids=RGB)
def test_every_color_becomes_that_of_libvips(icc: bytes) -> None:
    pixels = noise(3)
    convert(pixels, icc, "RGB")

    assert difference_max(pixels, by_vips(noise(3), icc, "srgb")) <= STEPS
    assert difference_max(pixels, noise(3)) > 10


def test_alpha_stays_and_colors_below_it_change() -> None:
    pixels = noise(4)
    convert(pixels, RGB["Display P3"], "RGB")

    assert difference_max(pixels[..., 3:], noise(4)[..., 3:]) == 0
    assert difference_max(pixels[..., :3], by_vips(noise(4)[..., :3], RGB["Display P3"], "srgb")) <= STEPS


def test_every_gray_becomes_that_of_libvips() -> None:
    pixels, icc = noise(1), gray_profile()
    convert(pixels, icc, "GRAY")
    theirs = by_vips(noise(1), icc, "b-w")

    assert difference_max(pixels, theirs[..., :1]) <= STEPS
    assert np.ptp(theirs, axis=2).max() <= 1, "grey is grey"


def test_gray_that_lies_as_rgba_becomes_the_same() -> None:
    gray, icc = noise(1), gray_profile()
    pixels = np.concatenate([gray, gray, gray, noise(4)[..., 3:]], axis=2)
    convert(pixels, icc, "GRAY")
    convert(gray, icc, "GRAY")

    assert difference_max(pixels, np.concatenate([gray, gray, gray, noise(4)[..., 3:]], axis=2)) == 0


@pytest.mark.parametrize("denominator", [1, 2, 8])
def test_jpeg_in_adobe_rgb_is_that_of_libvips(denominator: int) -> None:
    """A photograph as it came from an editor."""
    theirs = pyvips.Image.new_from_buffer(photograph("rocket.jpg"), "", shrink=denominator)
    theirs = theirs.icc_transform("srgb", embedded=True, intent="perceptual").numpy()
    ours = decoded_by_us(photograph("rocket.jpg"), denominator)[: theirs.shape[0], : theirs.shape[1]]

    assert difference_max(ours, theirs) <= SCALED_STEPS


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_jpeg_of_gray_stays_gray_and_is_that_of_libvips(options: dict[str, bool]) -> None:
    data = written(sample(Layout.GRAY), "JPEG", gray_profile(), **options)
    theirs = pyvips.Image.new_from_buffer(data, "").icc_transform("srgb", embedded=True, intent="perceptual").numpy()
    ours = decoded_by_us(data)

    assert ours.shape[2] == 1
    assert difference_max(ours, theirs[..., :1]) <= STEPS


@pytest.mark.parametrize("adobe", [0, 2])
def test_jpeg_of_inks_by_a_press_profile_is_that_of_libvips(adobe: int) -> None:
    inks = np.asarray(Image.fromarray(sample(Layout.RGB)).convert("CMYK"))
    data = bytearray(written(inks, "CMYK", library_profile("cmyk"), quality=95, subsampling=0))
    data[data.index(b"Adobe") + 11] = adobe
    theirs = pyvips.Image.new_from_buffer(bytes(data), "")
    theirs = theirs.icc_transform("srgb", embedded=True, intent="perceptual").numpy()
    ours = decoded_by_us(bytes(data))

    assert difference_max(ours, theirs) <= STEPS


def test_every_ink_becomes_the_color_of_libvips() -> None:
    conversion = profile.conversion_from(library_profile("cmyk"), "CMYK", 4)
    assert conversion is not None
    colors = np.empty((300, 200, 3), np.uint8)
    conversion(noise(4), colors)

    assert difference_max(colors, by_vips(noise(4), library_profile("cmyk"), "cmyk")) <= STEPS


@pytest.mark.parametrize("layout", [Layout.RGB, Layout.RGBA])
@pytest.mark.parametrize(
    ("format_name", "options"), [("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("AVIF", {"speed": 10})]
)
def test_other_formats_are_converted_too(format_name: str, options: dict[str, Any], layout: Layout) -> None:
    plain = decoded_by_us(written(sample(layout), format_name, b"", **options))
    ours = decoded_by_us(written(sample(layout), format_name, RGB["Display P3"], **options))

    assert difference_max(ours[..., :3], by_vips(plain[..., :3], RGB["Display P3"], "srgb")) <= STEPS
    assert difference_max(ours[..., 3:], plain[..., 3:]) == 0 if layout is Layout.RGBA else True


def test_png_of_a_palette_and_of_gray_are_converted_too() -> None:
    image = Image.fromarray(sample(Layout.RGB)).quantize(64)
    stream = io.BytesIO()
    image.save(stream, icc_profile=RGB["Adobe RGB"], format="PNG")
    gray = sample(Layout.GRAY)
    deep = png(gray.astype(np.uint16) * 257, 0, 16, profile_chunk(gray_profile()))

    theirs = by_vips(np.asarray(image.convert("RGB")), RGB["Adobe RGB"], "srgb")
    assert difference_max(decoded_by_us(stream.getvalue()), theirs) <= STEPS
    assert difference_max(decoded_by_us(deep), by_vips(gray, gray_profile(), "b-w")[..., :1]) <= STEPS


def test_gif_knows_no_profiles() -> None:
    data = gif(2, 2, [(1, 2, 3), (4, 5, 6)], Frame(np.zeros((2, 2), np.uint8)))

    assert decoded_by_us(data)[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "icc", [library_profile("srgb"), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()]
)
def test_profile_that_means_srgb_changes_nothing(icc: bytes) -> None:
    pixels = noise(3)
    convert(pixels, icc, "RGB")

    assert difference_max(pixels, noise(3)) == 0
    assert profile.conversion_from(icc, "RGB", 3) is None


@pytest.mark.parametrize(
    ("icc", "kind"),
    [
        (b"", "RGB"),
        (b"no profile", "RGB"),
        (RGB["Adobe RGB"][:200], "RGB"),
        (RGB["Adobe RGB"], "GRAY"),
        (gray_profile(), "RGB"),
        (library_profile("cmyk"), "RGB"),
        (library_profile("cmyk")[:5000], "CMYK"),
        (RGB["Adobe RGB"].replace(b"mntr", b"link"), "RGB"),
        (RGB["Adobe RGB"] + bytes(PROFILE_BYTES_MAX), "RGB"),
    ],
)
def test_profile_of_no_use_is_passed_over(icc: bytes, kind: Any) -> None:
    assert profile.conversion_from(icc, kind, 3) is None


def test_jpeg_whose_profile_is_of_no_use_is_decoded_without() -> None:
    for icc in (b"no profile", gray_profile(), RGB["Adobe RGB"][:300]):
        data = written(sample(Layout.RGB), "JPEG", icc)
        assert difference_max(decoded_by_us(data), decoded_by_us(written(sample(Layout.RGB), "JPEG", b""))) == 0


def test_jpeg_of_color_that_is_decoded_to_gray_keeps_its_own_luma() -> None:
    """A profile of colours does not tell what that becomes."""
    data, plain = (written(sample(Layout.RGB), "JPEG", icc) for icc in (RGB["Adobe RGB"], b""))

    assert difference_max(decoded_by_us(data, layout=Layout.GRAY), decoded_by_us(plain, layout=Layout.GRAY)) == 0


def test_jpeg_whose_profile_lacks_a_part_is_decoded_without() -> None:
    plain = written(sample(Layout.RGB), "JPEG", b"")
    half = with_segment(plain, segment(0xE2, b"ICC_PROFILE\0\1\2" + RGB["Adobe RGB"]))

    assert difference_max(decoded_by_us(half), decoded_by_us(plain)) == 0


def test_jpeg_profile_of_many_parts_is_put_together() -> None:
    plain, icc = written(sample(Layout.RGB), "JPEG", b""), RGB["Adobe RGB"]
    parts = [icc[at : at + 100] for at in range(0, len(icc), 100)]
    data = plain
    for number, part in enumerate(parts, 1):
        data = with_segment(data, segment(0xE2, b"ICC_PROFILE\0" + bytes((number, len(parts))) + part))

    assert difference_max(decoded_by_us(data), decoded_by_us(written(sample(Layout.RGB), "JPEG", icc))) == 0


def test_conversions_are_kept_and_no_more_than_a_few() -> None:
    first = profile.conversion_from(RGB["Adobe RGB"], "RGB", 3)
    assert profile.conversion_from(RGB["Adobe RGB"], "RGB", 3) is first
    for gamma in range(100, 140):
        profile.conversion_from(rgb_profile(gamma=gamma / 50), "RGB", 3)

    assert len(profile._conversions) == 16
    assert profile.conversion_from(RGB["Adobe RGB"], "RGB", 3) is not first


def test_profiles_that_are_used_stay_while_others_go() -> None:
    first = profile.conversion_from(RGB["Adobe RGB"], "RGB", 3)
    for gamma in range(100, 140):
        profile.conversion_from(rgb_profile(gamma=gamma / 50), "RGB", 3)
        assert profile.conversion_from(RGB["Adobe RGB"], "RGB", 3) is first


def test_png_with_two_profiles_goes_by_the_first() -> None:
    two = png(noise(3).astype(np.uint16), 2, 8, profile_chunk(RGB["Adobe RGB"]), profile_chunk(RGB["Display P3"]))
    one = png(noise(3).astype(np.uint16), 2, 8, chunk(b"iCCP", b"a\0\0" + zlib.compress(RGB["Adobe RGB"])))

    assert difference_max(decoded_by_us(two), decoded_by_us(one)) == 0
