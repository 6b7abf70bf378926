"""Formats out and their options, as they are declared and as they travel."""

from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from stages.encodings import (
    ENCODINGS,
    AvifEncoding,
    Encoding,
    JpegEncoding,
    PngEncoding,
    RawEncoding,
    WebpEncoding,
    decode_encoding,
    encode_encoding,
)


@pytest.mark.parametrize(
    "encoding",
    [
        JpegEncoding(30, "422", (1, 2, 3), progressive=True, max_bytes=5, metadata="keep"),
        PngEncoding(9, "keep"),
        WebpEncoding(31, effort=10, max_bytes=6),
        WebpEncoding(lossless=True),
        AvifEncoding(32, effort=0, metadata="keep"),
        RawEncoding(),
    ],
)
def test_encoding_arrives_at_a_worker_as_it_was_sent(encoding: Encoding) -> None:
    assert decode_encoding(encode_encoding(encoding)) == encoding
    assert ENCODINGS[encoding.format] is type(encoding)


def test_lossless_webp_with_max_bytes_is_refused_by_the_name_of_the_option() -> None:
    with pytest.raises(ValueError, match=r"^max_bytes: "):
        WebpEncoding(lossless=True, max_bytes=1)


@pytest.mark.parametrize("kind", list(ENCODINGS.values()))
def test_encoding_and_each_of_its_options_say_what_they_are(kind: type[Encoding]) -> None:
    """The protocol's table is made of these."""
    assert (kind.__doc__ or "").strip()
    for name, annotation in get_type_hints(kind, include_extras=True).items():
        if name in kind.__struct_fields__:
            assert _description(annotation), f"{kind.__name__}.{name}"


def _description(annotation: Any) -> str:
    """Of an option; of one that may be left out it is with the value."""
    if get_origin(annotation) is Annotated:
        notes = [note.description for note in get_args(annotation)[1:] if isinstance(note, msgspec.Meta)]
        return next((text for text in notes if text), "")
    return next((text for text in map(_description, get_args(annotation)) if text), "")
