"""The highest quality that fits, with the real encoders on real pictures, against trying every quality."""

import functools
from typing import Any

import msgspec
import numpy as np
import pytest

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Layout
from stages.encoders.lossy import made
from stages.encodings import AvifEncoding, Encoding, JpegEncoding, WebpEncoding
from stages.quality_search import TRIALS_MAX
from tests.oracles import Pixels, sample
from tests.stages.arenas import encoded

KINDS: dict[str, Any] = {
    "baseline": functools.partial(JpegEncoding),
    "progressive": functools.partial(JpegEncoding, progressive=True),
    "webp": functools.partial(WebpEncoding, effort=2),
    "avif": functools.partial(AvifEncoding, effort=1),
}


@functools.cache
def picture(name: str) -> Pixels:
    return np.ascontiguousarray(sample(Layout.RGB, name)[100:180, 100:220])


@functools.cache
def sizes(name: str, kind: str) -> list[int]:
    """Of every quality from 1 to 100."""
    qualities = range(1, 101)
    return [len(encoded(picture(name), Layout.RGB, KINDS[kind](quality=quality)).data) for quality in qualities]


@pytest.mark.parametrize("name", ["coffee.png", "astronaut.png"])
@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("quality", [80, 100])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 0.8, 0.999, 1.0])
def test_encode_within_max_bytes_takes_the_highest_quality_that_fits(
    name: str, kind: str, quality: int, share: float
) -> None:
    known = sizes(name, kind)[:quality]
    max_bytes = round(known[0] + share * (max(known) - known[0]))

    finished = encoded(picture(name), Layout.RGB, KINDS[kind](quality=quality, max_bytes=max_bytes))

    found = finished.encoded.quality
    assert found is not None
    assert len(finished.data) == known[found - 1] <= max_bytes
    # Sizes do not grow with every single step: libwebp's fall by some percent here and there.
    best = max(one for one in range(1, quality + 1) if known[one - 1] <= max_bytes)
    assert found == best or (known[found] > max_bytes and best - found <= (10 if kind == "webp" else 1))


@pytest.mark.parametrize("kind", list(KINDS))
def test_encode_within_max_bytes_is_what_is_encoded_at_the_quality_told(kind: str) -> None:
    max_bytes = sizes("coffee.png", kind)[59]

    finished = encoded(picture("coffee.png"), Layout.RGB, KINDS[kind](max_bytes=max_bytes))

    plain = KINDS[kind](quality=finished.encoded.quality)
    assert finished.data == encoded(picture("coffee.png"), Layout.RGB, plain).data


@pytest.mark.parametrize("kind", list(KINDS))
def test_encode_with_too_few_max_bytes_is_refused_and_says_how_many_it_takes(kind: str) -> None:
    least = sizes("coffee.png", kind)[0]

    with pytest.raises(FrameError, match=f"max_bytes: {least - 1} are too few, it takes {least} ") as raised:
        encoded(picture("coffee.png"), Layout.RGB, KINDS[kind](max_bytes=least - 1))

    assert raised.value.code is ErrorCode.TOO_LARGE


@pytest.mark.parametrize(
    "encoding", [JpegEncoding(metadata="keep"), WebpEncoding(metadata="keep"), AvifEncoding(metadata="keep", effort=1)]
)
def test_encode_within_max_bytes_counts_metadata(encoding: Encoding) -> None:
    whole = encoded(picture("coffee.png"), Layout.RGB, encoding)
    tight = msgspec.structs.replace(encoding, max_bytes=len(whole.data) - 1)
    bare = msgspec.structs.replace(tight, metadata="strip")

    assert encoded(picture("coffee.png"), Layout.RGB, bare).encoded.quality == 80
    finished = encoded(picture("coffee.png"), Layout.RGB, tight)

    assert finished.encoded.quality is not None
    assert finished.encoded.quality < 80
    assert len(finished.data) < len(whole.data)


@pytest.mark.parametrize("kind", list(KINDS))
def test_encode_within_max_bytes_encodes_eight_times_at_most(kind: str) -> None:
    known = sizes("astronaut.png", kind)
    for max_bytes in range(known[0], known[-1], 97):
        tried: list[int] = []

        def encode(quality: int, tried: list[int] = tried) -> bytes:
            tried.append(quality)
            return bytes(known[quality - 1])

        finished = made(encode, 100, max_bytes)

        assert len(tried) <= TRIALS_MAX
        assert len(finished.data) <= max_bytes
