"""The gate before the decoders, for every format: agreement with Pillow, limits, and nothing but its errors."""

import contextlib
import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Layout
from stages.limits import Limits
from stages.probe import probe
from tests.fuzz import probing
from tests.fuzz.checksums import mended
from tests.fuzz.seeds import seeds
from tests.hostile.gif import frame, screen
from tests.hostile.webp import chunk as chunk_of_riff
from tests.hostile.webp import riff, vp8l_header, vp8x
from tests.pngs import SIGNATURE, chunk, ihdr
from tests.stages.heifs import FTYP, auxc, av1c, box, ispe, still
from tests.stages.jpegs import LIMITS


def refusal(data: bytes, limits: Limits = LIMITS, page: int = 0) -> FrameError:
    with pytest.raises(FrameError) as caught:
        probe(data, limits, page)
    return caught.value


@pytest.mark.parametrize("name", sorted(seeds()))
def test_probe_of_a_whole_picture_agrees_with_pillow(name: str) -> None:
    data = seeds()[name]
    opened = Image.open(io.BytesIO(data))
    found = probe(data, LIMITS)

    assert (found.geometry.width, found.geometry.height) == opened.size
    assert found.format == str(opened.format).lower()
    assert found.geometry.layout is layout_in_pillow(opened)


def layout_in_pillow(opened: Image.Image) -> Layout:
    """What its mode comes to, if nothing is to be lost."""
    if opened.has_transparency_data:
        return Layout.RGBA
    # A palette may be of any colours; which, is not looked at.
    return Layout.GRAY if opened.mode in ("1", "L", "I;16") and opened.format != "GIF" else Layout.RGB


@pytest.mark.parametrize("name", ["RGB.jpg", "RGB.png", "animated.png"])
def test_probe_later_page_of_a_still_format_is_refused_by_name(name: str) -> None:
    error = refusal(seeds()[name], page=1)

    assert (error.code, error.message.startswith("input.page: ")) == (ErrorCode.BAD_REQUEST, True)
    assert probe(seeds()[name], LIMITS, 0) == probe(seeds()[name], LIMITS)


@pytest.mark.parametrize("name", ["RGB-animated.webp", "RGBA-sequence.avif", "animated.gif"])
def test_probe_counts_the_pixels_of_all_frames_up_to_the_page(name: str) -> None:
    whole = probe(seeds()[name], LIMITS).geometry
    limits = Limits(max_side=100, max_pixels=whole.pixels * 3)

    assert probe(seeds()[name], limits, page=2).geometry.pixels == whole.pixels
    error = refusal(seeds()[name], limits, 3)
    assert (error.code, error.message.startswith("input.page: 4 frames")) == (ErrorCode.TOO_LARGE, True)


def test_probe_later_frame_of_a_gif_may_show_through() -> None:
    layouts = [probe(seeds()["animated.gif"], LIMITS, page).geometry.layout for page in range(2)]

    assert layouts == [Layout.RGB, Layout.RGBA]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (SIGNATURE + ihdr(16384, 8) + chunk(b"IDAT"), "max_side 16383"),
        (SIGNATURE + ihdr(10_000, 5_001) + chunk(b"IDAT"), "max_pixels 50000000"),
        (riff(chunk_of_riff(b"VP8L", vp8l_header(16384, 8))), "max_side 16383"),
        (screen(16384, 8) + frame(1, 1), "max_side 16383"),
        (still(av1c()).replace(ispe(40, 30), ispe(8, 1 << 31)), "max_side 16383"),
        (still(av1c()).replace(ispe(40, 30), ispe(10_000, 5_001)), "max_pixels 50000000"),
    ],
)
def test_probe_size_over_limit_is_told_from_any_header(data: bytes, word: str) -> None:
    error = refusal(data)

    assert (error.code, word in error.message) == (ErrorCode.TOO_LARGE, True), error.message


@pytest.mark.parametrize("name", sorted(seeds()))
def test_probe_of_a_cut_file_raises_frame_error_or_describes_the_same(name: str) -> None:
    """EXIF at the end may be lost; what was cut off of it is taken as if it had not been there."""
    data = seeds()[name]
    whole = probe(data, LIMITS)
    for length in range(len(data)):
        try:
            found = probe(data[:length], LIMITS)
        except FrameError as error:
            assert error.code in {ErrorCode.BAD_IMAGE, ErrorCode.UNSUPPORTED_FORMAT}  # noqa: PT017  # most raise, not all
        else:
            assert found in (whole, replace(whole, orientation=1))


@settings(max_examples=500)
@given(st.data(), st.sampled_from(sorted(seeds())), st.integers(0, 2))
def test_probe_of_a_changed_file_holds_what_is_held_of_any(data: st.DataObject, name: str, cut: int) -> None:
    """Bits flipped, and the file cut or repeated: what the fuzzer tries for longer."""
    picture = bytearray(seeds()[name])
    for _ in range(data.draw(st.integers(1, 6))):
        bit = data.draw(st.integers(0, min(len(picture), 600) * 8 - 1))
        picture[bit // 8] ^= 1 << bit % 8
    if cut:
        at = data.draw(st.integers(0, len(picture)))
        picture = picture[:at] + (picture[data.draw(st.integers(0, len(picture))) :] if cut == 2 else b"")

    probing.target(mended(bytes(picture)))


HOSTILE = {
    "PNG of a million chunks": SIGNATURE + ihdr(8, 8) + chunk(b"tEXt") * 1_000_000,
    "WebP of two million chunks": riff(vp8x(8, 8, 0x0A), chunk_of_riff(b"JUNK", b"") * 2_000_000),
    "GIF of two million extensions": screen(8, 8) + b"!\xf9\4\0\0\0\0\0" * 2_000_000,
    "AVIF of two million boxes": FTYP + box(b"free") * 2_000_000,
    "AVIF of properties without end": still(av1c(), *[auxc()] * 200_000),
    "JPEG of four million segments": b"\xff\xd8" + b"\xff\xe2\0\2" * 4_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_probe_of_a_large_file_without_an_end_takes_no_time(name: str) -> None:
    """1 to 3 ms; the bound is generous, for it must hold on a busy machine."""
    data = HOSTILE[name]
    seconds = []
    for _ in range(5):
        began = time.thread_time()
        with contextlib.suppress(FrameError):
            probe(data, LIMITS)
        seconds.append(time.thread_time() - began)

    assert len(data) > 8_000_000
    assert min(seconds) < 0.02
