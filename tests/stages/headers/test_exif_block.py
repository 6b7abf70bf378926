"""EXIF of every format that can have it, as its encoder wrote it."""

import io

import pytest
from PIL import Image

from ipc.messages import FormatIn
from stages.headers.exif import Rights, texts
from stages.headers.exif_block import exif_block
from tests.photographs import photograph_image


def picture(format_in: FormatIn, **options: object) -> bytes:
    stream = io.BytesIO()
    photograph_image("chelsea.png").resize((32, 24)).save(stream, format_in, **options)
    return stream.getvalue()


@pytest.mark.parametrize("format_in", ["jpeg", "png", "webp", "avif"])
def test_block_of_a_file_is_what_was_written(format_in: FormatIn) -> None:
    written = Image.Exif()
    written[0x013B], written[0x8298] = "Ada", "Nobody else"
    tiff = written.tobytes().removeprefix(b"Exif\0\0")
    block = exif_block(picture(format_in, exif=written), format_in)

    assert block is not None
    assert block == tiff
    assert texts(block) == Rights(copyright="Nobody else", artist="Ada")


@pytest.mark.parametrize("format_in", ["jpeg", "png", "webp", "avif", "gif"])
def test_file_without_it_has_none(format_in: FormatIn) -> None:
    assert exif_block(picture(format_in), format_in) is None
    assert exif_block(memoryview(picture(format_in)), format_in) is None
