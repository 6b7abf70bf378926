"""Plans, made of real JPEG headers: what a frame will need is known before any pixel exists."""

import io
from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import pytest

from ipc.errors import ErrorCode, FrameError
from ipc.extents import ExtentAllocator
from ipc.pixels import Geometry, Layout
from ipc.wire import Request, decode_request
from omnishotd.broker.overlays import Overlays
from omnishotd.broker.plan import Plan, Planner, compile_presets
from stages.encodings import decode_encoding
from stages.operations import encode_operations
from tests.omnishotd.broker.rig import ARENA_BYTES, LAID, LOGO, PLAIN, RAW_OUT, SMALLER, header, make_settings, picture
from tests.photographs import jpeg, photograph_image, photograph_mosaic

RAW_IN: dict[str, Any] = {"format": "raw", "width": 32, "height": 16, "layout": "BGRA"}


def make_planner(arena_bytes: int = ARENA_BYTES, overlays: Overlays | None = None, **frames: Any) -> Planner:
    settings = make_settings(frames=frames)
    presets = compile_presets(settings.presets)
    return Planner(settings.frames, presets, overlays or {}, ExtentAllocator(arena_bytes))


def request(outputs: list[dict[str, Any]] | None = None, **keys: Any) -> Request:
    return decode_request(header("f", outputs, **keys))


def plan(
    payload: bytes, outputs: list[dict[str, Any]] | None = None, planner: Planner | None = None, **keys: Any
) -> Plan:
    return (planner or make_planner()).plan(request(outputs, **keys), payload)


def fault(
    payload: bytes, outputs: list[dict[str, Any]] | None = None, planner: Planner | None = None, **keys: Any
) -> FrameError:
    with pytest.raises(FrameError) as caught:
        plan(payload, outputs, planner, **keys)
    return caught.value


def test_plan_of_a_jpeg_tells_picture_result_and_extents() -> None:
    made = plan(picture(100), [SMALLER])

    assert made.picture == Geometry(100, 100, Layout.RGB)
    assert made.outputs[0].nominal == made.picture
    assert made.outputs[0].result == Geometry(16, 16, Layout.RGB)
    assert made.sizes_bytes(1000) == [1000, made.decoded.bytes, 16 * 16 * 3]


def test_plan_without_operations_needs_no_extent_for_results() -> None:
    made = plan(picture(100), [PLAIN])

    assert made.decoded == made.picture
    assert made.outputs[0].operations == b""
    assert made.sizes_bytes(1000) == [1000, 100 * 100 * 3]
    assert made.room_bytes(1000) == 1024 + 30016, "each begins at a multiple of 64"


def test_plan_of_a_small_output_decodes_a_large_picture_at_a_fraction() -> None:
    made = plan(picture(800), [SMALLER])

    assert made.picture.width == 800
    assert made.decoded.width in {100, 200, 400}
    assert made.decoded.width == made.decoded.height
    assert made.pixels == 800 * 800


def test_plan_of_several_outputs_decodes_for_the_most_demanding() -> None:
    made = plan(picture(800), [SMALLER, PLAIN])

    assert made.decoded == made.picture
    assert [bool(output.operations) for output in made.outputs] == [True, False]


def test_plan_weighs_a_frame_by_its_largest_picture() -> None:
    enlarged = {"operations": [{"op": "resize", "width": 500, "height": 400, "fit": "fill"}]}

    assert plan(picture(100), [SMALLER, enlarged]).pixels == 500 * 400


def test_plan_of_a_gray_jpeg_stays_gray() -> None:
    gray = jpeg(photograph_image("coffee.png").convert("L").resize((50, 40)))

    assert plan(gray, [PLAIN]).decoded == Geometry(50, 40, Layout.GRAY)


def test_plan_of_raw_pixels_has_no_source_and_keeps_the_layout() -> None:
    made = plan(bytes(32 * 16 * 4), [PLAIN], input=RAW_IN)

    assert made.is_raw
    assert made.format == "raw"
    assert made.decoded == Geometry(32, 16, Layout.BGRA)
    assert made.sizes_bytes(32 * 16 * 4) == [32 * 16 * 4]
    assert made.room_bytes(32 * 16 * 4) == 32 * 16 * 4


def test_plan_of_raw_pixels_is_never_scaled() -> None:
    made = plan(bytes(800 * 800 * 3), [SMALLER], input={"format": "raw", "width": 800, "height": 800, "layout": "RGB"})

    assert made.decoded == made.picture


def test_plan_of_a_preset_is_that_of_its_outputs() -> None:
    planner = make_planner()

    assert plan(picture(), [SMALLER], planner) == plan(picture(), planner=planner, preset="thumbnail")


def test_plan_carries_encodings_that_a_worker_can_read() -> None:
    made = plan(picture(), [{"quality": 33}, RAW_OUT])

    assert [decode_encoding(output.encoding).format for output in made.outputs] == ["jpeg", "raw"]
    assert encode_operations(()) != b"", "empty stands for nothing to transform"


def file_of(kind: str, side: int, **options: Any) -> bytes:
    """A picture as Pillow writes it."""
    written = io.BytesIO()
    photograph_mosaic(side).save(written, kind, **options)
    return written.getvalue()


@pytest.mark.parametrize("kind", ["png", "webp", "avif", "gif"])
def test_plan_of_a_picture_that_no_decoder_can_shrink_decodes_all_of_it(kind: str) -> None:
    made = plan(file_of(kind, 200), [SMALLER])

    assert made.format == kind
    assert (made.decoded.width, made.decoded.height) == (200, 200)


def test_pages_of_one_file_have_plans_of_their_own() -> None:
    planner = make_planner()
    more = [photograph_mosaic(40).rotate(angle) for angle in (90, 180)]
    animation = file_of("gif", 40, save_all=True, append_images=more)

    assert [plan(animation, [PLAIN], planner, input={"page": page}).page for page in range(3)] == [0, 1, 2]
    assert plan(animation, [PLAIN], planner).page == 0


def test_page_of_a_format_that_has_but_one_is_refused_by_its_key() -> None:
    error = fault(picture(), [PLAIN], input={"page": 1})

    assert error.code is ErrorCode.BAD_REQUEST
    assert error.message.startswith("input.page: ")


def test_plan_has_room_for_overlays_once_each() -> None:
    planner = make_planner(overlays={LOGO.name: LOGO})
    made = plan(picture(100), [LAID, LAID, PLAIN], planner)

    assert made.overlays == (LOGO,)
    assert made.sizes_bytes(1000) == [1000, 30_000, 30_000, 30_000, len(LOGO.data)]
    assert [output.overlays for output in made.outputs] == [("logo",), ("logo",), ()]


def test_result_with_longer_sides_than_its_format_can_have_is_refused_by_the_format() -> None:
    wide = {"operations": [{"op": "resize", "width": 17_000, "height": 4, "fit": "fill"}], "format": "webp"}
    error = fault(picture(), [PLAIN, wide], make_planner(max_side=20_000))

    assert error.code is ErrorCode.TOO_LARGE
    assert error.message == "outputs[1].format: webp has sides of at most 16383 pixels, the result has 17000"
    assert plan(picture(), [{**wide, "format": "png"}], make_planner(max_side=20_000)).pixels == 68_000


def test_same_request_for_the_same_kind_of_picture_gets_the_same_plan() -> None:
    planner = make_planner()

    assert plan(picture(64, b"one"), [SMALLER], planner) is plan(picture(64, b"two"), [SMALLER], planner)
    assert plan(picture(100), [SMALLER], planner) is not plan(picture(64), [SMALLER], planner)


def test_raw_pixels_and_a_jpeg_of_one_size_have_different_plans() -> None:
    planner = make_planner()
    raw = plan(bytes(64 * 64 * 3), [PLAIN], planner, input={**RAW_IN, "width": 64, "height": 64, "layout": "RGB"})

    assert not plan(picture(64), [PLAIN], planner).is_raw
    assert raw.is_raw


@pytest.mark.parametrize("size", [-1, 1])
def test_raw_payload_of_another_size_than_it_says_is_refused_with_both_sizes(size: int) -> None:
    error = fault(bytes(2048 + size), [PLAIN], input=RAW_IN)

    assert error.code is ErrorCode.BAD_REQUEST
    assert error.message == f"payload: {2048 + size} bytes, 32x16 BGRA has 2048"


def test_unknown_preset_is_refused_by_name() -> None:
    error = fault(picture(), preset="poster")

    assert error.code is ErrorCode.UNKNOWN_PRESET
    assert "'poster'" in error.message


def test_picture_over_max_side_or_max_pixels_is_refused_from_its_header() -> None:
    assert fault(picture(100), planner=make_planner(max_side=99)).code is ErrorCode.TOO_LARGE
    assert fault(picture(100), planner=make_planner(max_pixels=9_999)).code is ErrorCode.TOO_LARGE


def test_raw_input_over_max_side_is_refused_whatever_follows_it() -> None:
    error = fault(b"", planner=make_planner(max_side=31), input=RAW_IN)

    assert error.code is ErrorCode.TOO_LARGE


def test_result_over_max_side_is_refused() -> None:
    error = fault(picture(), [{"operations": [{"op": "resize", "width": 5000}]}])

    assert error.code is ErrorCode.TOO_LARGE
    assert "max_side" in error.message


def test_frame_that_the_arena_can_never_hold_is_refused_with_the_setting() -> None:
    error = fault(picture(800), [PLAIN], make_planner(1 << 20))

    assert error.code is ErrorCode.TOO_LARGE
    assert "memory.arena_mb" in error.message


def test_frame_that_just_fits_the_arena_is_planned() -> None:
    payload = picture(64)
    need = -(-len(payload) // 64) * 64 + 64 * 64 * 3

    assert plan(payload, [PLAIN], make_planner(need)).sizes_bytes(len(payload)) == [len(payload), 64 * 64 * 3]
    assert fault(payload, [PLAIN], make_planner(need - 64)).code is ErrorCode.TOO_LARGE


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", ErrorCode.UNSUPPORTED_FORMAT),
        (b"no picture", ErrorCode.UNSUPPORTED_FORMAT),
        (b"II*\0" + bytes(100), ErrorCode.UNSUPPORTED_FORMAT),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), ErrorCode.BAD_IMAGE),
        (b"\xff\xd8\xff", ErrorCode.BAD_IMAGE),
    ],
)
def test_payload_that_is_no_accepted_picture_is_refused_before_any_decoder(payload: bytes, code: ErrorCode) -> None:
    assert fault(payload).code is code


@pytest.mark.parametrize("outputs", [[], [{}] * 9, [{"format": "gif"}], [{"qualty": 1}], "all", None, [7]])
def test_outputs_that_cannot_be_read_are_refused_by_their_key(outputs: Any) -> None:
    error = fault_of_bytes(msgpack.packb({"v": 1, "id": "f", "outputs": outputs}))

    assert error.code is ErrorCode.BAD_REQUEST
    assert error.message.startswith("outputs")


def fault_of_bytes(encoded: bytes) -> FrameError:
    with pytest.raises(FrameError) as caught:
        make_planner().plan(decode_request(encoded), picture())
    return caught.value
