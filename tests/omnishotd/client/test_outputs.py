"""Outputs, held against the stages' own declarations."""

from copy import deepcopy
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from omnishotd.client.operations import Extend, Flip, Resize
from omnishotd.client.outputs import FormatName, Output, OutputOptions, outputs_to_maps
from stages.encodings import (
    FORMATS,
    OPTIONS,
    AvifEncoding,
    Encoding,
    JpegEncoding,
    PngEncoding,
    RawEncoding,
    WebpEncoding,
)
from stages.limits import Limits
from stages.outputs import parse_outputs

LIMITS = Limits(max_side=16_383, max_pixels=50_000_000)
EACH: list[tuple[Output, Encoding]] = [
    (Output(), JpegEncoding()),
    (
        Output(quality=70, subsampling="444", background=(9, 8, 7), progressive=True, max_bytes=5000, metadata="keep"),
        JpegEncoding(
            quality=70, subsampling="444", background=(9, 8, 7), progressive=True, max_bytes=5000, metadata="keep"
        ),
    ),
    (Output(format="png", compression=9, metadata="keep"), PngEncoding(compression=9, metadata="keep")),
    (Output(format="webp", quality=70, effort=10, max_bytes=9), WebpEncoding(quality=70, effort=10, max_bytes=9)),
    (Output(format="webp", lossless=True), WebpEncoding(lossless=True)),
    (
        Output(format="avif", quality=50, effort=0, max_bytes=9, metadata="strip"),
        AvifEncoding(quality=50, effort=0, max_bytes=9),
    ),
    (Output(format="raw"), RawEncoding()),
]


@pytest.mark.parametrize(("output", "expected"), EACH, ids=lambda each: str(each)[:60])
def test_output_is_what_the_stages_take(output: Output, expected: Encoding) -> None:
    assert parse_outputs(msgspec.msgpack.encode(outputs_to_maps(output)), LIMITS)[0].encoding == expected


def test_options_and_formats_are_those_of_the_stages() -> None:
    assert set(OutputOptions.__annotations__) == OPTIONS | {"format"}
    assert set(get_args(FormatName)) == set(FORMATS)
    assert get_type_hints(OutputOptions)["format"] is FormatName
    assert {option for output, _ in EACH for option in output.options} == OPTIONS | {"format"}


def test_what_is_left_out_or_none_is_not_sent() -> None:
    assert Output(Resize(300), format="png", compression=None).to_map() == {
        "operations": [{"op": "resize", "width": 300}],
        "format": "png",
    }


def test_option_that_does_not_exist_is_refused_by_name() -> None:
    options: Any = {"qualty": 80, "quality": 80}
    with pytest.raises(TypeError, match=r"^qualty: an output has no such option"):
        Output(**options)


def test_plain_maps_may_stand_for_outputs_and_operations() -> None:
    blur = {"op": "blur", "sigma": 2.0}
    expected = {"operations": [blur, {"op": "flip"}], "format": "webp"}

    assert outputs_to_maps(Output(blur, Flip(), format="webp")) == [expected]
    assert outputs_to_maps({"operations": [blur, Flip()], "format": "webp"}) == [expected]
    assert outputs_to_maps([{"format": "webp"}]) == [{"format": "webp"}]


def test_parameter_whose_name_python_keeps_for_itself_travels_under_it() -> None:
    assert Output(Extend(top=1, fill="copy")).to_map()["operations"] == [{"op": "extend", "top": 1, "with": "copy"}]


def test_output_can_be_copied_and_so_be_handed_to_another_process() -> None:
    output = Output(Extend(top=1, fill="copy"), format="webp", lossless=True)

    assert deepcopy(output) == output
