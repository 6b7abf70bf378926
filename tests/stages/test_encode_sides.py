"""Formats that are for smaller pictures than others."""

import pytest

from ipc.errors import ErrorCode, FrameError
from ipc.messages import Encode, Extent
from ipc.pixels import Geometry, Layout
from stages.encode import encode
from stages.encodings import WebpEncoding, encode_encoding


def test_encode_picture_too_long_for_its_format_is_too_large() -> None:
    """As it may come from an operation whose result only the pixels tell."""
    row = Geometry(16_384, 1, Layout.GRAY)
    step = Encode(Extent(0, row.bytes), row, 0, encode_encoding(WebpEncoding()))

    with pytest.raises(FrameError, match="webp has sides of at most 16383 pixels, the result has 16384") as caught:
        encode(step, memoryview(bytes(row.bytes)))
    assert caught.value.code is ErrorCode.TOO_LARGE
