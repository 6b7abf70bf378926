"""What the options of `omnishotd process` ask of the daemon, held against the daemon's own reading of it."""

import click
import msgspec
import pytest

from omnishotd.cli.request import FITS, FORMATS, requested
from stages.limits import Limits
from stages.outputs import parse_outputs

LIMITS = Limits(max_side=16_383, max_pixels=50_000_000)


def test_every_size_becomes_an_output_of_its_own() -> None:
    request = requested(None, ["300x200", "800x", "x600"], "inside", 85, None)

    assert request.outputs is not None
    assert [output["operations"][1] for output in request.outputs] == [
        {"op": "resize", "width": 300, "height": 200, "fit": "inside"},
        {"op": "resize", "width": 800, "fit": "inside"},
        {"op": "resize", "height": 600, "fit": "inside"},
    ]
    assert [request.label(index, 3) for index in range(3)] == ["-300x200", "-800x", "-x600"]


def test_single_result_is_called_as_its_original() -> None:
    assert requested(None, ["300x200"], None, None, None).label(0, 1) == ""


def test_results_of_a_preset_are_numbered() -> None:
    request = requested("both", (), None, None, None)

    assert [request.label(index, 2) for index in range(2)] == ["-1", "-2"]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("form", FORMATS)
def test_all_that_can_be_asked_is_understood_by_the_daemon(fit: str, form: str) -> None:
    quality = 85 if form == "jpeg" else None
    request = requested(None, ["300x200"], fit, quality, form)

    outputs = parse_outputs(msgspec.msgpack.encode(request.outputs), LIMITS)

    assert [operation.name for operation in outputs[0].operations] == ["auto_orient", "resize"]
    assert outputs[0].encoding.format == form


@pytest.mark.parametrize(
    ("preset", "sizes", "fit", "quality", "message"),
    [
        (None, [], None, None, "say what to make: --preset NAME, or --resize WxH, --quality, --format"),
        ("p", ["1x1"], None, None, "--preset says all of what to make, it excludes --resize"),
        (None, [], "cover", None, "--fit needs --resize"),
        (None, ["x"], None, None, "--resize: 'x' is not WxH, as 300x300, 800x or x600"),
        (None, ["0x5"], None, None, "--resize: '0x5' has a side of 0"),
        (None, ["-5x5"], None, None, "--resize: '-5x5' is not WxH, as 300x300, 800x or x600"),
        (None, ["5x5", "5x5"], None, None, "--resize: the same size is given twice"),
    ],
)
def test_options_that_say_nothing_sensible_are_refused(
    preset: str | None, sizes: list[str], fit: str | None, quality: int | None, message: str
) -> None:
    with pytest.raises(click.UsageError) as caught:
        requested(preset, sizes, fit, quality, None)

    assert str(caught.value) == message
