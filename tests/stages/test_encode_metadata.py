"""What is kept of an original's metadata, as Pillow and libvips read it; and that nothing else is."""

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import pyvips  # type: ignore[import-untyped]  # it has annotations, but no py.typed
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from ipc.messages import Encode, FormatIn, Original
from ipc.pixels import Geometry, Layout
from stages.encode import Finished, encode
from stages.encoders.profile import profile
from stages.encodings import AvifEncoding, Encoding, JpegEncoding, PngEncoding, WebpEncoding, encode_encoding
from tests.oracles import sample, vips_image, vips_pixels
from tests.photographs import photograph_image
from tests.stages.arenas import Arena

ORIENTATION, ARTIST, COPYRIGHT, MODEL, GPS = 0x0112, 0x013B, 0x8298, 0x0110, 0x8825
KEEPING = [
    JpegEncoding(metadata="keep"),
    JpegEncoding(progressive=True, metadata="keep"),
    PngEncoding(metadata="keep"),
    WebpEncoding(metadata="keep"),
    WebpEncoding(lossless=True, effort=0, metadata="keep"),
    AvifEncoding(effort=1, metadata="keep"),
]
STRIPPING = [JpegEncoding(), PngEncoding(), WebpEncoding(), AvifEncoding(effort=1)]
SERIAL = "serial number 1234567"


def original(format_in: FormatIn, **texts: bytes) -> bytes:
    """A picture as a camera writes it, with more in it than anybody should see."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[MODEL] = SERIAL
    exif[ARTIST] = texts.get("artist", b"")
    exif[COPYRIGHT] = texts.get("copyright", b"")
    exif[GPS] = {1: "N"}
    options: dict[str, Any] = {"exif": exif}
    if format_in == "png":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_text("Comment", SERIAL)
    elif format_in == "jpeg":
        options["comment"] = SERIAL
    return written(photograph_image("coffee.png").resize((60, 40)), format_in, **options)


def written(image: Image.Image, format_name: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_name.upper(), **options)
    return stream.getvalue()


def encoded_from(
    file: bytes, format_in: FormatIn, encoding: Encoding, layout: Layout = Layout.RGB, orientation: int = 1
) -> Finished:
    """What the encode stage makes of a photograph in `layout` for a frame that came as `file`."""
    pixels = np.ascontiguousarray(sample(layout)[100:180, 200:320])
    geometry = Geometry(120, 80, layout)
    arena = Arena(geometry.bytes, len(file) or 1)
    arena.write(0, pixels.tobytes())
    arena.write(1, file)
    kept = Original(arena.extents[1], format_in, orientation) if file else None
    finished = encode(Encode(arena.extents[0], geometry, 0, encode_encoding(encoding), kept), arena.view)
    arena.close()
    return finished


def exif_of(data: bytes) -> dict[int, Any]:
    return dict(Image.open(io.BytesIO(data)).getexif())


def fields_of(data: bytes) -> dict[str, str]:
    """All EXIF that libvips tells, but the resolution, and what libexif adds of itself to the third directory."""
    image = pyvips.Image.new_from_buffer(data, "")
    told = [field for field in image.get_fields() if field.startswith("exif-ifd") and "Resolution" not in field]
    told = [field for field in told if not field.startswith("exif-ifd2")]
    return {field.removeprefix("exif-ifd0-"): image.get(field).partition(" (")[0].strip() for field in told}


def profile_of(data: bytes) -> bytes:
    written: bytes = Image.open(io.BytesIO(data)).info.get("icc_profile") or b""
    return written


@pytest.mark.parametrize("format_in", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize("encoding", KEEPING)
def test_encode_keeps_rights_and_nothing_else(format_in: FormatIn, encoding: Encoding) -> None:
    file = original(format_in, artist=b"Ann Example", copyright=b"2026 Ann Example")

    finished = encoded_from(file, format_in, encoding)

    assert exif_of(finished.data) == {ARTIST: "Ann Example", COPYRIGHT: "2026 Ann Example"}
    assert fields_of(finished.data) == {"Artist": "Ann Example", "Copyright": "2026 Ann Example"}
    assert SERIAL.encode() in file
    assert SERIAL.encode() not in finished.data
    known = {"exif", "icc_profile", "jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "progressive"}
    known |= {"progression", "loop", "background", "timestamp", "duration"}
    assert Image.open(io.BytesIO(finished.data)).info.keys() <= known


@pytest.mark.parametrize("encoding", KEEPING)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_encode_keeps_the_orientation_that_is_still_to_be_told(encoding: Encoding, orientation: int) -> None:
    finished = encoded_from(original("jpeg"), "jpeg", encoding, orientation=orientation)

    upright = vips_image(np.ascontiguousarray(sample(Layout.RGB)[100:180, 200:320])).copy()
    upright.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    upright = vips_pixels(upright.autorot())
    shown = vips_pixels(pyvips.Image.new_from_buffer(finished.data, "").autorot())
    assert exif_of(finished.data) == ({ORIENTATION: orientation} if orientation > 1 else {})
    assert shown.shape == upright.shape
    assert np.sqrt(np.mean((shown.astype(float) - upright) ** 2)) < 9.0


@pytest.mark.parametrize("encoding", [JpegEncoding, WebpEncoding, AvifEncoding])
def test_encode_keeps_the_orientation_whatever_number_of_trials_it_takes(encoding: Any) -> None:
    whole = encoded_from(original("jpeg"), "jpeg", encoding(metadata="keep"), orientation=6)
    tight = encoding(metadata="keep", max_bytes=len(whole.data) * 2 // 3)

    assert exif_of(encoded_from(original("jpeg"), "jpeg", tight, orientation=6).data) == {ORIENTATION: 6}


@pytest.mark.parametrize("encoding", KEEPING)
@pytest.mark.parametrize("orientation", [1, 8])
def test_encode_keeps_rights_that_are_not_ascii(encoding: Encoding, orientation: int) -> None:
    file = original("jpeg", artist="Łukasz Żółć".encode(), copyright="© Müller".encode())

    finished = encoded_from(file, "jpeg", encoding, orientation=orientation)

    assert {"Artist": "Łukasz Żółć", "Copyright": "© Müller"}.items() <= fields_of(finished.data).items()


@pytest.mark.parametrize("encoding", STRIPPING)
def test_encode_that_strips_metadata_leaves_none(encoding: Encoding) -> None:
    finished = encoded_from(original("jpeg", copyright=b"Ann"), "jpeg", encoding, orientation=6)

    assert exif_of(finished.data) == {}
    assert profile_of(finished.data) == b""
    assert fields_of(finished.data) == {}


@pytest.mark.parametrize("file", [b"", written(photograph_image("coffee.png").resize((6, 4)), "png")])
@pytest.mark.parametrize("encoding", KEEPING)
def test_encode_of_an_original_without_metadata_keeps_the_profile_only(encoding: Encoding, file: bytes) -> None:
    """Raw pixels have no original at all."""
    finished = encoded_from(file, "png", encoding)

    assert exif_of(finished.data) == {}
    assert profile_of(finished.data)


@pytest.mark.parametrize("encoding", KEEPING)
@pytest.mark.parametrize("layout", [Layout.GRAY, Layout.RGB, Layout.BGRA])
def test_encode_with_metadata_has_a_profile_of_its_colors_that_changes_nothing(
    encoding: Encoding, layout: Layout
) -> None:
    finished = encoded_from(original("jpeg"), "jpeg", encoding, layout)

    opened = Image.open(io.BytesIO(finished.data))
    theirs = opened.convert("L" if opened.mode == "L" else "RGB")
    embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile_of(finished.data)))
    assert embedded.profile.xcolor_space.strip() == {"L": "GRAY", "RGB": "RGB"}[theirs.mode]
    assert "sRGB" in (embedded.profile.profile_description or "")
    shown = ImageCms.profileToProfile(theirs, embedded, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert shown is not None
    assert int(np.abs(np.asarray(shown, int) - np.asarray(theirs.convert("RGB"), int)).max()) <= 1
    assert pyvips.Image.new_from_buffer(finished.data, "").get("icc-profile-data") == profile_of(finished.data)


def test_profile_is_the_same_in_every_process() -> None:
    program = "from ipc.pixels import Layout; from stages.encoders.profile import profile\n"
    program += "print((profile(Layout.RGB) + profile(Layout.GRAY)).hex())"
    other = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=30)

    assert other.stdout.strip() == (profile(Layout.RGB) + profile(Layout.GRAY)).hex()
    for layout in (Layout.RGB, Layout.GRAY):
        assert profile(layout)[24:36] == bytes.fromhex("07d000010001000000000000")
        assert int.from_bytes(profile(layout)[:4], "big") == len(profile(layout))
