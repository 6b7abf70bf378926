"""An AVIF's boxes: which picture counts, what is told of it, and how many may be walked over."""

import io
import struct

import pytest
from PIL import Image, ImageOps

from ipc.errors import ErrorCode
from ipc.pixels import Layout
from stages.headers.avif import has_brand, read_header
from stages.headers.avif_items import ASSOCIATIONS_MAX, ITEMS_MAX, REFERENCES_MAX
from stages.headers.boxes import BOXES_MAX
from stages.headers.header import Header
from tests.photographs import photograph_image
from tests.stages.headers.refusals import refusal
from tests.stages.heifs import (
    FTYP,
    auxc,
    av1c,
    avif,
    box,
    full_box,
    ispe,
    items,
    location,
    primary,
    properties,
    references,
    still,
)
from tests.stages.jpegs import exif

SIZE = (40, 30)
TURNED = exif(6)[10:]
ITEMS_WITHOUT_PROPERTIES = properties([], dict.fromkeys(range(ITEMS_MAX), ()))[16:]
"""One box `ipma`."""


def irot(angle: int) -> bytes:
    return box(b"irot", bytes((angle,)))


def imir(axis: int) -> bytes:
    return box(b"imir", bytes((axis,)))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("frames", [1, 3])
def test_what_libavif_writes_is_told_as_pillow_tells_it(mode: str, frames: int) -> None:
    images = [photograph_image("chelsea.png").resize((33, 21)).rotate(30 * number) for number in range(frames)]
    for image in images:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    stream = io.BytesIO()
    first, *others = [image.convert(mode) for image in images]
    first.save(stream, "AVIF", speed=10, save_all=frames > 1, append_images=others)
    told = Image.open(stream)

    assert read_header(stream.getvalue()) == Header(*told.size, Layout.GRAY if told.mode == "L" else Layout(told.mode))


@pytest.mark.parametrize("angle", [None, 0, 1, 2, 3])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_turns_and_mirrors_are_told_as_the_orientation_that_does_the_same(angle: int | None, axis: int | None) -> None:
    """HEIF: first counterclockwise by quarter turns, then 0 exchanges top and bottom, 1 left and right."""
    image = photograph_image("chelsea.png").resize((8, 6))
    expected = image.rotate(90 * (angle or 0), expand=True)
    if axis is not None:
        expected = ImageOps.flip(expected) if axis == 0 else ImageOps.mirror(expected)
    boxes = [irot(angle)] if angle is not None else []
    boxes += [imir(axis)] if axis is not None else []
    image.getexif()[0x0112] = read_header(still(av1c(), *boxes)).orientation

    assert ImageOps.exif_transpose(image).tobytes() == expected.tobytes()


def test_gray_is_told_by_the_codecs_configuration() -> None:
    assert read_header(still(av1c())) == Header(*SIZE, Layout.RGB)
    assert read_header(still(av1c(gray=True))) == Header(*SIZE, Layout.GRAY)


def test_first_of_two_properties_of_a_kind_counts() -> None:
    assert read_header(still(av1c(), irot(1), ispe(9, 9), irot(2), av1c(gray=True))) == Header(*SIZE, Layout.RGB, 8)


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize(
    ("urn", "has_alpha"),
    [
        (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", True),
        (b"urn:mpeg:hevc:2015:auxid:1\0", True),
        (b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth\0", False),
        (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alphabet\0", False),
        (b"", False),
    ],
)
def test_auxiliary_item_is_alpha_if_it_says_so(urn: bytes, has_alpha: bool, long: bool) -> None:
    data = avif(
        primary(),
        items({1: b"av01", 2: b"av01"}, version=int(long)),
        properties([ispe(*SIZE), av1c(gray=True), auxc(urn)], {1: (1, 2), 2: (1, 2, 3)}, long=long),
        references((b"auxl", 2, (1,)), version=int(long)),
    )

    assert read_header(data) == Header(*SIZE, Layout.RGBA if has_alpha else Layout.GRAY)


@pytest.mark.parametrize("having_alpha", [(), (2,), (2, 3)])
def test_grid_is_gray_as_its_tiles_and_has_alpha_if_all_of_them_do(having_alpha: tuple[int, ...]) -> None:
    alphas = {tile + 10: b"av01" for tile in having_alpha}
    data = avif(
        primary(),
        items({1: b"grid", 2: b"av01", 3: b"av01"} | alphas),
        properties(
            [ispe(*SIZE), ispe(20, 30), av1c(gray=True), auxc()],
            {1: (1,), 2: (2, 3), 3: (2, 3)} | dict.fromkeys(alphas, (2, 3, 4)),
        ),
        references((b"dimg", 1, (2, 3)), *((b"auxl", tile + 10, (tile,)) for tile in having_alpha)),
    )

    assert read_header(data) == Header(*SIZE, Layout.RGBA if len(having_alpha) == 2 else Layout.GRAY)


def with_exif(*more: bytes, method: int = 0, extents: int = 1, describes: int = 1, before: int = 0) -> bytes:
    """A picture with EXIF at the end of the file, or in `idat` for method 1."""
    item = struct.pack(">L", before) + bytes(before) + TURNED
    kinds = {2: b"Exif"}
    described = references((b"cdsc", 2, (describes,)))
    boxes = (described, box(b"idat", b"idle" + item))
    offset = 4
    if method != 1:
        empty = still(av1c(), *more, boxes=(*boxes, location(2, 0, 0, extents=extents)), kinds=kinds)
        offset = len(empty) + 8
    place = location(2, offset, len(item), method=method, extents=extents)
    return still(av1c(), *more, boxes=(*boxes, place), kinds=kinds) + box(b"mdat", item)


@pytest.mark.parametrize("method", [0, 1])
@pytest.mark.parametrize("before", [0, 6])
def test_exif_item_tells_the_orientation_where_no_box_does(method: int, before: int) -> None:
    data = with_exif(method=method, before=before)
    header = read_header(data)

    assert header.orientation == 6
    assert header.exif is not None
    assert header.exif.of(data) == TURNED
    assert read_header(with_exif(irot(2), method=method)).orientation == 3


def test_exif_in_pieces_or_of_another_item_or_elsewhere_does_not_count() -> None:
    assert read_header(with_exif(extents=2)).exif is None
    assert read_header(with_exif(describes=3)).exif is None
    assert read_header(with_exif(method=2)).exif is None
    assert read_header(with_exif()[:-1]).exif is None


def sequence(*tracks: bytes, major: bytes = b"avis") -> bytes:
    return box(b"ftyp", major, bytes(4), b"avis") + box(b"moov", *tracks)


def track(
    number: int,
    *boxes: bytes,
    size: tuple[int, int] = SIZE,
    kind: bytes = b"av01",
    auxiliary_for: int = 0,
    version: int = 0,
    metadata: bytes = b"",
) -> bytes:
    times = 16 if version else 8
    head = bytes(times) + struct.pack(">L", number) + bytes(64 if version else 60)
    sides = struct.pack(">LL", size[0] << 16, size[1] << 16)
    entry = box(kind, bytes(78), *boxes)
    media = box(b"mdia", box(b"minf", box(b"stbl", full_box(b"stsd", struct.pack(">L", 1), entry))))
    reference = box(b"tref", box(b"auxl", struct.pack(">L", auxiliary_for))) if auxiliary_for else b""
    return box(b"trak", full_box(b"tkhd", head, sides, version=version), reference, media, metadata)


def test_sequence_is_its_first_av1_track_that_belongs_to_no_other() -> None:
    tracks = (
        track(1, size=(1, 1), kind=b"mp4a"),
        track(2, av1c(gray=True), size=(2, 2), auxiliary_for=3),
        track(3, av1c(), irot(1), version=1),
        track(4, av1c(), size=(4, 4)),
    )

    assert read_header(sequence(*tracks)) == Header(*SIZE, Layout.RGBA, 8)
    assert read_header(sequence(*tracks[2:])) == Header(*SIZE, Layout.RGB, 8)
    assert read_header(sequence(track(1, av1c(gray=True)))) == Header(*SIZE, Layout.GRAY)


def test_sequence_has_the_exif_of_its_track_and_of_no_other() -> None:
    item = bytes(4) + TURNED
    described = full_box(b"meta", items({1: b"Exif"}), location(1, 0, len(item), method=1), box(b"idat", item))
    coded, other = track(1, av1c()), track(2, av1c(), metadata=described)

    assert read_header(sequence(other, coded)).orientation == 6
    assert read_header(sequence(coded, other)).exif is None


def test_auxiliary_track_that_says_it_is_no_alpha_is_none() -> None:
    depth = full_box(b"auxi", b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth\0")
    tracks = (track(3, av1c()), track(2, av1c(), depth, auxiliary_for=3))

    assert read_header(sequence(*tracks)).layout is Layout.RGB


def test_file_that_is_both_is_what_its_major_brand_says() -> None:
    meta = still(av1c())[len(FTYP) :]
    both = meta + box(b"moov", track(1, av1c(), size=(50, 60)))
    brands = {
        major: box(b"ftyp", major, bytes(4), b"avifavis") + both for major in (b"avif", b"avis", b"mif1", b"msf1")
    }

    assert {major: read_header(data).width for major, data in brands.items()} == {
        b"avif": 40,
        b"avis": 50,
        b"mif1": 50,
        b"msf1": 50,
    }


@pytest.mark.parametrize(
    ("brands", "is_avif"),
    [
        ((b"avif",), True),
        ((b"avis", b"msf1"), True),
        ((b"mif1", b"heic", b"avif"), True),
        ((b"mif1", b"miaf"), False),
        ((b"heic", b"avif"), False),
        ((b"heic", b"mif1"), False),
        ((b"isom", b"avif"), False),
        ((b"mif1", *[b"miaf"] * 64, b"avif"), False),
    ],
)
def test_brands_tell_whether_it_is_an_avif(brands: tuple[bytes, ...], is_avif: bool) -> None:
    assert has_brand(box(b"ftyp", brands[0], bytes(4), *brands[1:])) is is_avif


def test_box_with_a_long_length_or_to_the_end_is_walked() -> None:
    meta = still(av1c())[len(FTYP) :]
    long = struct.pack(">L4sQ", 1, b"meta", len(meta) + 8) + meta[8:]
    to_the_end = bytes(4) + meta[4:]

    assert read_header(FTYP + box(b"uuid", bytes(20)) + long).width == 40
    assert read_header(FTYP + to_the_end).width == 40


def test_depth_of_a_box_that_nobody_looks_into_does_not_matter() -> None:
    body = b""
    for _ in range(5 * BOXES_MAX):
        body = box(b"ipco", body)

    assert read_header(still(av1c(), body)).width == 40


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (FTYP, "cut off"),
        (still(av1c())[:-1], "cut off"),
        (FTYP + box(b"free"), "cut off"),
        (FTYP + box(b"free") * BOXES_MAX, f"{BOXES_MAX} boxes"),
        (still(*[box(b"free")] * BOXES_MAX), f"{BOXES_MAX} boxes"),
        (FTYP + b"\0\0\0\7meta", "impossible length"),
        (FTYP + b"\0\0\0\1meta", "cut off"),
        (FTYP + b"\0\0\0\x09uuid" + bytes(40), "impossible length"),
        (avif(b"\0\0\0\0pitm"), "impossible length"),
        (avif(b"\0\0\xff\xffpitm"), "beyond the one around it"),
        (avif(b"pi"), "none"),
        (avif(box(b"pitm", b"\0")), "version"),
        (avif(full_box(b"pitm", b"\0")), "too short"),
        (avif(primary(), primary()), "two boxes"),
        (avif(), "no primary"),
        (avif(primary()), "coded as AV1"),
        (avif(primary(), items({1: b"hvc1"})), "coded as AV1"),
        (avif(primary(2), items({1: b"av01"})), "coded as AV1"),
        (avif(primary(), items({1: b"av01"})), "how large"),
        (avif(primary(), items({1: b"av01"}), properties([ispe(4, 4)], {1: (0, 2, 127)})), "how large"),
        (avif(primary(), items({1: b"av01"}), properties([ispe(0, 4)], {1: (1,)})), "0 pixels"),
        (avif(primary(), items({1: b"av01"}), properties([ispe(4, 0)], {1: (1,)})), "0 pixels"),
        (avif(primary(), items({1: b"av01"}), properties([full_box(b"ispe", bytes(7))], {1: (1,)})), "too short"),
        (avif(full_box(b"iinf", b"\0\1", full_box(b"infe", bytes(7), version=2))), "too short"),
        (still(av1c(), boxes=(references((b"cdsc", 2, tuple(range(REFERENCES_MAX + 1)))),)), f"{REFERENCES_MAX} ref"),
        (still(av1c(), boxes=(full_box(b"iref", box(b"auxl", b"\0\2\0\5\0\1")),)), "too short"),
        (
            avif(primary(), properties([], dict.fromkeys(range(ASSOCIATIONS_MAX // 250 + 1), (1,) * 250))),
            f"{ASSOCIATIONS_MAX} properties",
        ),
        (avif(primary(), properties([], dict.fromkeys(range(ITEMS_MAX + 1), ()))), f"{ITEMS_MAX} items"),
        (avif(primary(), box(b"iprp", *[ITEMS_WITHOUT_PROPERTIES] * 9)), f"{ASSOCIATIONS_MAX} properties"),
        (box(b"ftyp", b"avis", bytes(4)) + still(av1c())[len(FTYP) :], "cut off"),
        (sequence(), "no track"),
        (sequence(track(0, av1c())), "no track"),
        (sequence(track(1, kind=b"hvc1")), "no track"),
        (sequence(box(b"trak")), "header"),
        (sequence(track(1, av1c(), size=(0, 9))), "0 pixels"),
        (sequence(track(1, av1c(), version=2)), "version"),
        (sequence(*[track(1, kind=b"hvc1")] * 17), "16 tracks"),
    ],
)
def test_fault_is_named(data: bytes, word: str) -> None:
    error = refusal(read_header, data)

    assert (error.code, word in error.message) == (ErrorCode.BAD_IMAGE, True), error.message


def test_items_in_the_list_of_places_are_bounded() -> None:
    data = with_exif()
    at = data.index(b"iloc") + 10

    assert f"{ITEMS_MAX} items" in refusal(read_header, data[:at] + b"\xff\xff" + data[at + 2 :]).message
