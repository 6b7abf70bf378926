"""Files of other formats, files of two formats, and files of none."""

import gzip
import io
import random
import struct
import zipfile
from collections.abc import Iterator

from tests import pngs
from tests.hostile import avif, gif, jpeg, png, webp
from tests.hostile.picture import (
    BAD_IMAGE,
    SIDES,
    UNSUPPORTED_FORMAT,
    Hostile,
    photograph,
    refused,
    refused_or_taken,
    taken,
)


def pictures() -> Iterator[Hostile]:
    """All of them."""
    yield from _by_pillow()
    yield from _by_hand()
    yield from _of_no_format()
    yield from _of_two_formats()


def _by_pillow() -> Iterator[Hostile]:
    """Whole pictures that Pillow would gladly open, were it not told which format it may."""
    for kind in ("TIFF", "BMP", "ICO", "PPM", "TGA", "PCX", "PDF", "EPS", "JPEG2000", "ICNS", "SGI", "DDS", "QOI"):
        stream = io.BytesIO()
        photograph().save(stream, kind)
        yield refused(kind, UNSUPPORTED_FORMAT, stream.getvalue())


def _by_hand() -> Iterator[Hostile]:
    files = {
        "TIFF, big endian": b"MM\0*\0\0\0\x08" + bytes(500),
        "BigTIFF": b"II\x2b\0\x08\0\0\0" + bytes(500),
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "SVG with a declaration": b'<?xml version="1.0"?><!DOCTYPE svg SYSTEM "file:///etc/passwd"><svg/>',
        "PostScript that runs": b"%!PS\n(/etc/passwd) (r) file\n",
        "EPS with a preview": b"\xc5\xd0\xd3\xc6" + bytes(500),
        "HEIC": avif.box(b"ftyp", b"heic\0\0\0\0mif1heic") + bytes(500),
        "HEIF sequence": avif.box(b"ftyp", b"hevc\0\0\0\0msf1hevc") + bytes(500),
        "MP4": avif.box(b"ftyp", b"isom\0\0\2\0isomiso2") + bytes(500),
        "JPEG XL": b"\xff\x0a" + bytes(500),
        "JPEG XL in boxes": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(500),
        "JPEG 2000 codestream": b"\xff\x4f\xff\x51" + bytes(500),
        "PSD": b"8BPS\0\1" + bytes(500),
        "MNG": b"\x8aMNG\r\n\x1a\n" + bytes(500),
        "JNG": b"\x8bJNG\r\n\x1a\n" + bytes(500),
        "WMF": b"\xd7\xcd\xc6\x9a" + bytes(500),
        "FITS": b"SIMPLE  =                    T" + b" " * 2_850,
        "AVI": b"RIFF\xff\0\0\0AVI LIST" + bytes(500),
        "WAVE": b"RIFF\xff\0\0\0WAVEfmt " + bytes(500),
        "Matroska": b"\x1a\x45\xdf\xa3" + bytes(500),
        "program": b"\x7fELF\x02\1\1" + bytes(500),
        "gzip of a PNG": gzip.compress(png.whole(), mtime=0),
        "GIF88a": b"GIF88a" + gif.whole()[6:],
        "PNG whose line ends were changed": png.whole().replace(b"\r\n", b"\n"),
        "PNG behind a byte order mark": b"\xef\xbb\xbf" + png.whole(),
        "JPEG behind an empty line": b"\n" + jpeg.baseline(),
    }
    for name, data in files.items():
        yield refused(name, UNSUPPORTED_FORMAT, data)


def _of_no_format() -> Iterator[Hostile]:
    chance = random.Random(20261123)
    for length in (1, 2, 3, 64, 100_000):
        yield refused(f"{length} bytes by chance", UNSUPPORTED_FORMAT, b"x" + chance.randbytes(length - 1))
    yield refused("zeros", UNSUPPORTED_FORMAT, bytes(1 << 20))
    yield refused("ones", UNSUPPORTED_FORMAT, b"\xff" * (1 << 20))
    starts = {
        "JPEG": b"\xff\xd8\xff",
        "PNG": pngs.SIGNATURE,
        "GIF": b"GIF89a",
        "WebP": b"RIFF\x00\x10\0\0WEBP",
        "AVIF": avif.FTYP,
    }
    for name, start in starts.items():
        # A size of chance in a GIF could be too large; from its 3rd byte on it is not looked at here.
        rest = b"\x10\0\x10\0" + chance.randbytes(4_000) if name == "GIF" else chance.randbytes(4_000)
        yield refused(f"chance behind the magic of a {name}", BAD_IMAGE, start + rest)


def _of_two_formats() -> Iterator[Hostile]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("payload.exe", bytes(1_000))
    archived = stream.getvalue()
    script = b"<?php system($_GET[0]); ?><script>alert(1)</script>"
    yield taken("JPEG that is also a ZIP", jpeg.baseline() + archived, SIDES)
    yield taken("PNG that is also a ZIP", png.whole() + archived, SIDES)
    yield taken("GIF with a script behind it", gif.whole() + script, SIDES)
    yield taken("WebP with a script behind it", webp.lossy() + script, SIDES)
    yield taken("PNG with a script in its text", png.stamp(pngs.chunk(b"tEXt", b"a\0" + script)), png.STAMP)
    pdf = b"%PDF-1.4\n1 0 obj<</Subtype/Image/Filter/DCTDecode>>stream\n" + jpeg.baseline() + b"endstream"
    yield refused("PDF around a JPEG", UNSUPPORTED_FORMAT, pdf)
    jpeg_in_png = pngs.SIGNATURE + pngs.ihdr(*SIDES) + pngs.chunk(b"IDAT", jpeg.baseline()) + pngs.chunk(b"IEND")
    yield refused("PNG around a JPEG", BAD_IMAGE, jpeg_in_png)
    yield refused("WebP around a PNG", BAD_IMAGE, webp.riff(webp.chunk(b"VP8L", png.whole())))
    yield refused("AVIF around a JPEG", BAD_IMAGE, avif.FTYP + avif.box(b"mdat", jpeg.baseline()))
    apple = pngs.SIGNATURE + pngs.chunk(b"CgBI", struct.pack(">L", 0x50002002)) + png.whole()[8:]
    yield refused("PNG as iPhones keep it", UNSUPPORTED_FORMAT, apple)
    two = gif.whole()[:-1] + gif.whole()[6:]
    yield refused_or_taken("GIF with another one in its tail", BAD_IMAGE, two, SIDES)
