"""What callers have, and what is sent of it."""

from typing import Any

import numpy as np
import pytest

from omnishotd.client.images import Block, RawInput, prepare

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def raw(width: int, height: int, layout: str) -> dict[str, Any]:
    return {"format": "raw", "width": width, "height": height, "layout": layout}


@pytest.mark.parametrize("image", [b"jpeg", bytearray(b"jpeg"), memoryview(b"jpeg"), np.frombuffer(b"jpeg", np.uint8)])
@pytest.mark.parametrize("copies", [False, True])
def test_row_of_bytes_is_an_encoded_image(image: Block, *, copies: bool) -> None:
    submission = prepare(image, None, None, copies=copies)

    assert (bytes(submission.payload), submission.input) == (b"jpeg", None)


@pytest.mark.parametrize(
    ("array", "layout", "expected"),
    [
        (PIXELS[:, :, 0], None, raw(6, 4, "GRAY")),
        (PIXELS[:, :, :1], None, raw(6, 4, "GRAY")),
        (PIXELS, None, raw(6, 4, "RGB")),
        (PIXELS, "BGR", raw(6, 4, "BGR")),
        (np.dstack([PIXELS, PIXELS[:, :, :1]]), None, raw(6, 4, "RGBA")),
        (np.dstack([PIXELS, PIXELS[:, :, :1]]), "BGRA", raw(6, 4, "BGRA")),
        (PIXELS[1:3, 2:5], None, raw(3, 2, "RGB")),
        (PIXELS[:, ::-1], None, raw(6, 4, "RGB")),
        (PIXELS[..., ::-1], "BGR", raw(6, 4, "BGR")),
        (np.asfortranarray(PIXELS), None, raw(6, 4, "RGB")),
    ],
)
@pytest.mark.parametrize("copies", [False, True])
def test_array_is_sent_row_by_row_with_its_layout(array: Any, layout: Any, expected: Any, *, copies: bool) -> None:
    submission = prepare(array, None, layout, copies=copies)

    assert submission.input == expected
    assert bytes(submission.payload) == np.ascontiguousarray(array).tobytes()


def test_whole_array_is_borrowed_unless_a_copy_is_asked_for() -> None:
    pixels = PIXELS.copy()
    borrowed = prepare(pixels, None, None, copies=False)
    copied = prepare(pixels, None, None, copies=True)
    pixels[:] = 7

    assert bytes(borrowed.payload) == pixels.tobytes()
    assert bytes(copied.payload) == PIXELS.tobytes()


def test_row_of_bytes_declared_as_pixels_carries_the_declaration() -> None:
    declared = RawInput(width=2, height=2, layout="GRAY")

    assert prepare(b"1234", declared, None, copies=False).input == raw(2, 2, "GRAY")
    assert prepare(b"1234", {"page": 2}, None, copies=False).input == {"page": 2}


def test_page_of_an_encoded_image_is_declared() -> None:
    assert prepare(b"gif", None, None, 2, copies=False).input == {"page": 2}
    assert prepare(b"gif", None, None, 0, copies=False).input == {"page": 0}


@pytest.mark.parametrize(
    ("image", "layout", "error", "message"),
    [
        (b"", None, ValueError, "image: empty"),
        ("photo.jpg", None, TypeError, "image: bytes or an array of uint8, not str"),
        (PIXELS.astype(np.float32), None, TypeError, "image: elements must be unsigned bytes"),
        (PIXELS.astype(np.int8), None, TypeError, "image: elements must be unsigned bytes"),
        (PIXELS[:, :, :2], None, ValueError, r"image: an array of shape .* not \(4, 6, 2\)"),
        (PIXELS[None], None, ValueError, r"image: an array of shape .* not \(1, 4, 6, 3\)"),
        (np.array(1, np.uint8), None, ValueError, r"image: an array of shape .* not \(\)"),
        (PIXELS, "GRAY", ValueError, "layout: GRAY has 1 channels, the array has 3"),
        (PIXELS, "YUV", ValueError, "layout: one of GRAY, RGB, BGR, RGBA, BGRA, not 'YUV'"),
        (b"jpeg", "RGB", ValueError, "layout: belongs to an array"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(image: Any, layout: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        prepare(image, None, layout, copies=False)


def test_array_with_a_declaration_is_refused() -> None:
    with pytest.raises(ValueError, match="input: excluded"):
        prepare(PIXELS, RawInput(6, 4, "RGB"), None, copies=False)


def test_page_of_what_has_only_one_is_refused() -> None:
    with pytest.raises(ValueError, match="page: belongs to an encoded image"):
        prepare(PIXELS, None, None, 1, copies=False)
    with pytest.raises(ValueError, match="page: excluded by input"):
        prepare(b"1234", RawInput(2, 2, "GRAY"), None, 1, copies=False)
