"""What the options of `omnishotd process` ask of the daemon, held against the daemon's own reading of it."""

from dataclasses import fields, replace
from typing import Any

import click
import msgspec
import pytest

from omnishotd.cli.process import process
from omnishotd.cli.request import BELONGS_TO, requested
from omnishotd.cli.wanted import FITS, FORMATS, Wanted
from stages.encodings import ENCODINGS
from stages.encodings import FORMATS as MADE
from stages.limits import Limits
from stages.outputs import Output, parse_outputs

LIMITS = Limits(max_side=16_383, max_pixels=50_000_000)


def understood(wanted: Wanted) -> tuple[Output, ...]:
    """What the daemon reads of it."""
    return parse_outputs(msgspec.msgpack.encode(requested(wanted).outputs), LIMITS)


def test_every_size_becomes_an_output_of_its_own() -> None:
    request = requested(Wanted(sizes=("300x200", "800x", "x600"), fit="inside", quality=85))

    assert request.outputs is not None
    assert [output["operations"][1] for output in request.outputs] == [
        {"op": "resize", "width": 300, "height": 200, "fit": "inside"},
        {"op": "resize", "width": 800, "fit": "inside"},
        {"op": "resize", "height": 600, "fit": "inside"},
    ]
    assert [request.label(index, 3) for index in range(3)] == ["-300x200", "-800x", "-x600"]


def test_every_size_is_made_in_every_format_and_called_by_its_size() -> None:
    request = requested(Wanted(sizes=("30x", "60x"), formats=("webp", "png")))

    assert request.outputs is not None
    assert [(output["operations"][1]["width"], output["format"]) for output in request.outputs] == [
        (30, "webp"),
        (30, "png"),
        (60, "webp"),
        (60, "png"),
    ]
    assert [request.label(index, 4) for index in range(4)] == ["-30x", "-30x", "-60x", "-60x"]


@pytest.mark.parametrize("wanted", [Wanted(sizes=("300x200",)), Wanted(formats=("png", "webp"))])
def test_results_that_their_suffix_tells_apart_are_called_as_their_original(wanted: Wanted) -> None:
    request = requested(wanted)

    assert [request.label(index, 2) for index in range(len(request.outputs or ()))] == [""] * len(request.outputs or ())


def test_results_of_a_preset_are_numbered() -> None:
    request = requested(Wanted(preset="both"), 3)

    assert [request.label(index, 2) for index in range(2)] == ["-1", "-2"]
    assert request.label(0, 1) == ""
    assert request.page == 3


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("form", FORMATS)
def test_all_sizes_and_formats_are_understood_by_the_daemon(fit: str, form: str) -> None:
    (output,) = understood(Wanted(sizes=("300x200",), fit=fit, formats=(form,)))

    assert [operation.name for operation in output.operations] == ["auto_orient", "resize"]
    assert output.encoding.format == form


def test_options_go_to_the_formats_that_know_them() -> None:
    wanted = Wanted(
        formats=FORMATS, quality=70, max_bytes="1.5k", lossless=True, effort=0, progressive=True, metadata="keep"
    )

    assert [msgspec.structs.asdict(output.encoding) for output in understood(wanted)] == [
        {
            "quality": 70,
            "subsampling": "420",
            "background": (0, 0, 0),
            "progressive": True,
            "max_bytes": 1500,
            "metadata": "keep",
        },
        {"compression": 4, "metadata": "keep"},
        {"quality": 80, "lossless": True, "effort": 0, "max_bytes": None, "metadata": "keep"},
        {"quality": 70, "effort": 0, "max_bytes": 1500, "metadata": "keep"},
        {},
    ]


def test_formats_and_their_options_are_those_of_the_stages() -> None:
    assert set(FORMATS) == set(MADE)
    assert {
        option: tuple(form for form in FORMATS if option in ENCODINGS[form].__struct_fields__) for option in BELONGS_TO
    } == BELONGS_TO


def test_every_option_of_the_command_is_counted_as_given() -> None:
    values: dict[str, Any] = {"sizes": ("1x1",), "formats": ("png",), "quality": 1, "effort": 0}
    written = {name: option.opts[0] for option in process.params if (name := option.name)}
    for field in fields(Wanted):
        value = values.get(field.name, True)
        given = replace(Wanted(), **{field.name: value}).given()

        assert given == ([] if field.name == "preset" else [written[field.name]])


def test_operations_stand_for_themselves() -> None:
    (output,) = understood(Wanted(operations='[{"op": "flip"}, {"op": "rotate", "angle": 90}]', formats=("png",)))

    assert [operation.name for operation in output.operations] == ["flip", "rotate"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted(), "say what to make: --preset NAME, or --resize WxH, --operations, --format, --quality"),
        (Wanted(preset="p", sizes=("1x1",)), "--preset says all of what to make, it excludes --resize"),
        (Wanted(preset="p", effort=0), "--preset says all of what to make, it excludes --effort"),
        (Wanted(operations="[]", sizes=("1x1",)), "--operations says all of what to do, it excludes --resize"),
        (Wanted(operations="[]", fit="cover"), "--operations says all of what to do, it excludes --fit"),
        (Wanted(fit="cover"), "--fit needs --resize"),
        (Wanted(sizes=("x",)), "--resize: 'x' is not WxH, as 300x300, 800x or x600"),
        (Wanted(sizes=("0x5",)), "--resize: '0x5' has a side of 0"),
        (Wanted(sizes=("-5x5",)), "--resize: '-5x5' is not WxH, as 300x300, 800x or x600"),
        (Wanted(sizes=("5x5", "5x5")), "--resize: the same size is given twice"),
        (Wanted(formats=("png", "png")), "--format: the same format is given twice"),
        (Wanted(sizes=("1x", "2x", "3x"), formats=("png", "webp", "avif")), "3 sizes in 3 formats are more than 8 "),
        (Wanted(max_bytes="0"), "--max-bytes: '0' is no size, as 300000, 200k or 1.5M"),
        (Wanted(max_bytes="2 MB"), "--max-bytes: '2 MB' is no size, as 300000, 200k or 1.5M"),
        (Wanted(quality=5, formats=("png",)), "--quality belongs to jpeg, webp, avif, and not to png"),
        (Wanted(progressive=True, formats=("webp", "png")), "--progressive belongs to jpeg, and not to webp, png"),
        (Wanted(lossless=True), "--lossless belongs to webp, and not to jpeg"),
        (Wanted(metadata="keep", formats=("raw",)), "--metadata belongs to jpeg, png, webp, avif, and not to raw"),
        (Wanted(lossless=True, quality=5, formats=("webp",)), "--lossless excludes --quality"),
        (Wanted(lossless=True, max_bytes="1k", formats=("webp", "png")), "--lossless excludes --max-bytes"),
    ],
)
def test_options_that_say_nothing_sensible_are_refused(wanted: Wanted, message: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        requested(wanted)

    assert str(caught.value).startswith(message)
