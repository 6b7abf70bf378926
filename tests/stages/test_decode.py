"""The decode stage against Pillow, and against everything that is no good JPEG."""

import io
from pathlib import Path

import numpy as np
import pytest
import simplejpeg  # type: ignore[import-untyped]  # it has annotations, but no py.typed
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ipc.errors import ErrorCode, FrameError
from ipc.messages import Decode, Extent
from ipc.pixels import Geometry, Layout
from stages.decode import decode
from stages.probe import probe
from stages.scaling import scaled
from tests.photographs import JPEGS, decoded, jpeg, photograph, photograph_image, photograph_jpeg, rmse
from tests.stages.arenas import Arena, decoded_by_us
from tests.stages.jpegs import LIMITS, camera_jpeg, with_segment

FIXTURES = Path(__file__).parent.parent / "fixtures"
IN_SRGB = tuple(name for name in JPEGS if name != "rocket.jpg")
"""rocket.jpg is in Adobe RGB: `tests.stages.decoders.test_profile`."""

FULL_SIZE_RMSE = 0.5
"""simplejpeg and Pillow are both libjpeg-turbo: only releases of its upsampling may differ."""


def decode_error(data: bytes, geometry: Geometry) -> FrameError:
    arena = Arena(len(data), geometry.bytes)
    arena.write(0, data)
    with pytest.raises(FrameError) as caught:
        decode(Decode(arena.extents[0], arena.extents[1], "jpeg", geometry), arena.view)
    return caught.value


@pytest.mark.parametrize("name", IN_SRGB)
def test_decode_photograph_agrees_with_pillow(name: str) -> None:
    assert rmse(decoded_by_us(photograph(name)), decoded(photograph(name))) <= FULL_SIZE_RMSE


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"optimize": True}])
def test_decode_kinds_of_jpeg_agree_with_pillow(options: dict[str, int]) -> None:
    data = jpeg(photograph_image("coffee.png"), **options)

    assert rmse(decoded_by_us(data), decoded(data)) <= FULL_SIZE_RMSE


def test_decode_gray_stays_one_channel() -> None:
    data = jpeg(photograph_image("coffee.png").convert("L"))

    assert rmse(decoded_by_us(data), decoded(data)) <= FULL_SIZE_RMSE


def test_decode_color_to_gray_is_luma() -> None:
    """What a chain that begins with grayscale may ask for: the file's own luma, which is Rec. 601."""
    data = jpeg(photograph_image("coffee.png"), quality=95, subsampling=0)
    luma = np.asarray(Image.open(io.BytesIO(data)).convert("L"))[..., np.newaxis]

    assert rmse(decoded_by_us(data, layout=Layout.GRAY), luma) <= 1.0


@pytest.mark.parametrize("denominator", [2, 4, 8])
@pytest.mark.parametrize("name", IN_SRGB)
def test_decode_scaled_agrees_with_pillows_draft(name: str, denominator: int) -> None:
    image = Image.open(io.BytesIO(photograph(name)))
    image.draft("RGB", (image.width // denominator, image.height // denominator))

    assert rmse(decoded_by_us(photograph(name), denominator), np.asarray(image.convert("RGB"))) <= FULL_SIZE_RMSE


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from(["444", "420", "422", "440", "411", "Gray"]),
)
def test_decode_scaled_size_is_exactly_the_planned(width: int, height: int, denominator: int, subsampling: str) -> None:
    """simplejpeg is told the least size it may give; this is the size that it gives."""
    gray = subsampling == "Gray"
    image = np.zeros((height, width, 1 if gray else 3), np.uint8)
    data = simplejpeg.encode_jpeg(image, colorspace="GRAY" if gray else "RGB", colorsubsampling=subsampling)
    planned = scaled(Geometry(width, height, Layout.GRAY if gray else Layout.RGB), denominator)

    given_size = simplejpeg.decode_jpeg_header(data, min_width=planned.width, min_height=planned.height)[:2]

    assert given_size == (planned.height, planned.width)
    assert decoded_by_us(data, denominator).shape == (planned.height, planned.width, planned.layout.channels)


def test_decode_scan_bomb_never_reaches_libjpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be busy for as long as the file has scans; the broker has not looked so far."""
    data = photograph_jpeg(256, progressive=True)
    last = data.rindex(b"\xff\xda")
    geometry = probe(data, LIMITS).geometry
    monkeypatch.setattr(simplejpeg, "decode_jpeg", lambda *_, **__: pytest.fail("reached libjpeg"))

    error = decode_error(data[:-2] + data[last:-2] * 1000 + b"\xff\xd9", geometry)

    assert error.code is ErrorCode.BAD_IMAGE
    assert "64 scans" in error.message


@pytest.mark.parametrize("name", ["sof3_rgb_64.jpg", "sof3_gray_64.jpg"])
@pytest.mark.parametrize("denominator", [1, 8])
def test_decode_lossless_jpeg_never_reaches_libjpeg(
    name: str, denominator: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would write past its buffer. The broker's probe refuses it already; this is the second lock."""
    monkeypatch.setattr(simplejpeg, "decode_jpeg", lambda *_, **__: pytest.fail("reached libjpeg"))
    geometry = scaled(Geometry(64, 64, Layout.RGB if "rgb" in name else Layout.GRAY), denominator)

    error = decode_error((FIXTURES / name).read_bytes(), geometry)

    assert error.code is ErrorCode.UNSUPPORTED_FORMAT


def test_decode_truncated_anywhere_is_a_bad_image() -> None:
    data = photograph_jpeg(64)
    geometry = Geometry(64, 64, Layout.RGB)
    for length in range(2, len(data) - 2):
        error = decode_error(data[:length], geometry)
        assert error.code is ErrorCode.BAD_IMAGE
        assert "truncated" in error.message or "cut off" in error.message or "corrupt" in error.message


def test_decode_truncated_says_so() -> None:
    assert decode_error(photograph_jpeg(64)[:-300], Geometry(64, 64, Layout.RGB)).message == "JPEG is truncated"


def test_decode_trailing_bytes_do_no_harm() -> None:
    assert np.array_equal(decoded_by_us(photograph_jpeg(64) + b"trailing" * 50), decoded_by_us(photograph_jpeg(64)))


def test_decode_metadata_does_no_harm() -> None:
    assert rmse(decoded_by_us(camera_jpeg()), decoded(camera_jpeg())) <= FULL_SIZE_RMSE


@settings(max_examples=150, deadline=None)
@given(st.data(), st.booleans())
def test_decode_flipped_bits_raise_frame_error_or_fill_the_target(data: st.DataObject, progressive: bool) -> None:
    picture = bytearray(photograph_jpeg(64, progressive=progressive))
    for _ in range(data.draw(st.integers(1, 3))):
        bit = data.draw(st.integers(0, len(picture) * 8 - 1))
        picture[bit // 8] ^= 1 << bit % 8
    geometry = Geometry(64, 64, Layout.RGB)
    arena = Arena(len(picture), geometry.bytes)
    arena.write(0, bytes(picture))
    try:
        decode(Decode(arena.extents[0], arena.extents[1], "jpeg", geometry), arena.view)
    except FrameError as error:
        assert error.code in {ErrorCode.BAD_IMAGE, ErrorCode.UNSUPPORTED_FORMAT}  # noqa: PT017  # or it was decoded
    except ValueError as error:
        assert "cannot be decoded into" in str(error)  # noqa: PT017  # the flipped bit was one of a side
    arena.close()


def test_decode_step_that_does_not_fit_is_refused_before_anything_is_written() -> None:
    data = photograph_jpeg(64)
    arena = Arena(len(data), 64 * 64 * 3)
    arena.write(0, data)
    before = bytes(arena.memory)
    source, target = arena.extents
    whole = Geometry(64, 64, Layout.RGB)
    wrong = [
        Decode(source, Extent(target.offset, target.bytes - 1), "jpeg", whole),
        Decode(source, Extent(len(arena.memory) - 10, target.bytes), "jpeg", whole),
        Decode(source, Extent(-1, target.bytes), "jpeg", whole),
        Decode(Extent(-5, source.bytes), target, "jpeg", whole),
        Decode(Extent(0, len(arena.memory) + 1), target, "jpeg", whole),
        Decode(source, target, "jpeg", Geometry(63, 64, Layout.RGB)),
        Decode(source, target, "jpeg", Geometry(32, 64, Layout.RGB)),
        Decode(source, target, "jpeg", Geometry(22, 22, Layout.RGB)),
        Decode(source, target, "jpeg", Geometry(0, 0, Layout.RGB)),
        Decode(source, target, "jpeg", Geometry(32, 32, Layout.RGBA)),
    ]
    for step in wrong:
        with pytest.raises(ValueError, match=r"\d"):
            decode(step, arena.view)

    assert bytes(arena.memory) == before
    arena.close()


def test_with_segment_builder_keeps_the_picture() -> None:
    """The oracle of the tests above."""
    data = photograph_jpeg(64)

    assert np.array_equal(decoded(with_segment(data, b"\xff\xfe\x00\x04hi")), decoded(data))
