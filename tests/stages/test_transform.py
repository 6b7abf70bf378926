"""The transform stage: chains of any operations, steps at fault, open results, and what is loaded before the start."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.errors import FrameError
from ipc.messages import Extent, Transform
from ipc.pixels import Geometry, Layout
from stages.operation import Operation
from stages.operations import encode_operations
from stages.operations.composite import Composite
from stages.operations.flip import Flip
from stages.operations.flop import Flop
from stages.operations.gamma import Gamma
from stages.operations.linear import Linear
from stages.operations.negate import Negate
from stages.operations.resize import Resize
from stages.operations.trim import Trim
from stages.raster import Raster
from stages.table import Table
from stages.transform import transform
from tests.oracles import sample
from tests.stages.arenas import Arena, Pixels, transformed
from tests.stages.declared import any_declared
from tests.stages.jpegs import LIMITS

LAYOUTS = list(Layout)
PIXELS = sample(Layout.RGB)
LINKS = any_declared(without=(Composite, Trim))
"""Operations of a chain; one needs an overlay, and one makes it open."""


@settings(max_examples=400, deadline=None)
@given(st.lists(LINKS, max_size=4), st.integers(1, 70), st.integers(1, 70), st.sampled_from(LAYOUTS))
def test_transform_any_chain_fills_exactly_what_was_planned(
    operations: list[Operation], width: int, height: int, layout: Layout
) -> None:
    kept, planned = suiting(operations, Geometry(width, height, layout))
    pixels = np.resize(PIXELS[..., : layout.channels], (height, width, layout.channels))
    result = transformed(pixels, layout, *kept)  # checks guards, source and released views

    assert result.shape == (planned.height, planned.width, planned.layout.channels)


def suiting(operations: list[Operation], source: Geometry) -> tuple[list[Operation], Geometry]:
    """Those that can be applied one after the other, and what comes of them."""
    kept: list[Operation] = []
    for operation in operations:
        try:
            source = operation.plan(source, LIMITS)
        except FrameError:
            continue
        kept.append(operation)
    return kept, source


@settings(max_examples=300, deadline=None)
@given(
    st.lists(LINKS, max_size=4), st.integers(0, 4), st.integers(1, 40), st.integers(1, 40),
    st.sampled_from(LAYOUTS), st.integers(1, 20), st.integers(0, 12)
)  # fmt: skip
def test_transform_any_open_chain_is_what_it_is_for_the_trimmed_picture(
    operations: list[Operation], place: int, width: int, height: int, layout: Layout, inner: int, offset: int
) -> None:
    """The bound that was planned holds, and no operation behaves otherwise when it learns the size late."""
    pixels = np.full((height, width, layout.channels), 255, np.uint8)
    pixels[offset : offset + inner, offset : offset + 2 * inner] = 40
    before, planned = suiting(operations[:place], Geometry(width, height, layout))
    first = transformed(pixels, layout, *before)
    trimmed = transformed(first, planned.layout, Trim())
    after, _ = suiting(operations[place:], Geometry(trimmed.shape[1], trimmed.shape[0], planned.layout))
    result = transformed(pixels, layout, *before, Trim(), *after)

    assert np.array_equal(result, transformed(trimmed, planned.layout, *after))


def test_transform_step_that_does_not_fit_is_refused_before_anything_is_written() -> None:
    source, result = Geometry(8, 6, Layout.RGB), Geometry(4, 3, Layout.RGB)
    arena = Arena(source.bytes, result.bytes)
    before = bytes(arena.memory)
    near, far = arena.extents
    resize = encode_operations((Resize(4, 3),))
    wrong = [
        Transform(near, Extent(far.offset, far.bytes - 1), source, source, resize, result),
        Transform(near, Extent(len(before) - 5, far.bytes), source, source, resize, result),
        Transform(Extent(-2, near.bytes), far, source, source, resize, result),
        Transform(Extent(near.offset, near.bytes - 1), far, source, source, resize, result),
        Transform(near, far, source, Geometry(80, 60, Layout.RGB), resize, result),
        Transform(near, far, source, source, resize, Geometry(0, 3, Layout.RGB)),
        Transform(near, far, source, source, b"\xc1", result),
    ]
    for step in wrong:
        with pytest.raises(ValueError, match=r"."):
            transform(step, arena.view, LIMITS)

    assert bytes(arena.memory) == before
    arena.close()


def test_transform_plan_of_another_size_is_refused() -> None:
    source = Geometry(8, 6, Layout.RGB)
    arena = Arena(source.bytes, 300)
    near, far = arena.extents
    resize = encode_operations((Resize(4, 3),))
    for result in (Geometry(4, 4, Layout.RGB), Geometry(4, 3, Layout.BGR), Geometry(3, 4, Layout.RGB)):
        with pytest.raises(ValueError, match="plan"):
            transform(Transform(near, far, source, source, resize, result), arena.view, LIMITS)
    arena.close()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_transform_neighbouring_tables_are_one_pass(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit what they are one by one; alpha is left alone."""
    operations = (Gamma(1.8), Negate(), Linear(1.2, -10))
    expected = sample(layout)
    for operation in operations:
        expected = transformed(expected, layout, operation)
    looks: list[int] = []
    look = Table.apply

    def counted(table: Table, raster: Raster, target: Pixels | None = None) -> Raster:
        looks.append(raster.pixels.size)
        return look(table, raster, target)

    monkeypatch.setattr(Table, "apply", counted)
    result = transformed(sample(layout), layout, Flip(), *operations, Flip())

    assert np.array_equal(result[::-1], expected[::-1])
    assert looks == [result.size]
    if layout.channels == 4:
        assert np.array_equal(result[..., 3], sample(layout)[..., 3])


def open_step(room_bytes: int, most: Geometry, *operations: Operation) -> tuple[Arena, Transform]:
    """The coffee cup in a black frame, and what is to be made of it."""
    framed = np.pad(PIXELS, ((20, 30), (40, 10), (0, 0)))
    source = Geometry(650, 450, Layout.RGB)
    arena = Arena(source.bytes, room_bytes)
    arena.write(0, framed.tobytes())
    near, far = arena.extents
    return arena, Transform(near, far, source, source, encode_operations(operations), most, is_open=True)


def test_transform_of_an_open_step_tells_what_it_made() -> None:
    """It lies at the beginning of its room, and nothing else is written there."""
    arena, step = open_step(640 * 440 * 3, Geometry(650, 450, Layout.RGB), Trim(30), Flop())
    made = transform(step, arena.view, LIMITS)

    assert made == Geometry(600, 400, Layout.RGB)
    assert np.array_equal(arena.read(1, made), PIXELS[:, ::-1])
    assert bytes(arena.view[step.target.offset + made.bytes :][: 640 * 440 * 3 - made.bytes]).strip(b"\xa5") == b""
    arena.close()


@pytest.mark.parametrize(
    ("room_bytes", "most"),
    [
        (600 * 400 * 3 - 1, Geometry(650, 450, Layout.RGB)),
        (1 << 20, Geometry(599, 450, Layout.RGB)),
        (1 << 20, Geometry(650, 399, Layout.RGB)),
        (1 << 20, Geometry(650, 450, Layout.RGBA)),
    ],
)
def test_transform_of_an_open_step_that_exceeds_its_bound_is_refused(room_bytes: int, most: Geometry) -> None:
    """The arena is held by others, too."""
    arena, step = open_step(room_bytes, most, Trim(30))
    before = bytes(arena.memory)
    with pytest.raises(ValueError, match="plan"):
        transform(step, arena.view, LIMITS)

    assert bytes(arena.memory) == before
    arena.close()


WARM = """
import sys
import numpy as np
from hypothesis import given, settings
from ipc.errors import FrameError
from ipc.pixels import Geometry, Layout
from stages.limits import Limits
from stages.operations import OPERATIONS
from stages.raster import Raster
from stages.transform import warm
from tests.stages.declared import OVERLAY, declared

examples = []
for kind in OPERATIONS.values():
    draw = given(declared(kind))(lambda one: examples.append(one))
    settings(max_examples=60, derandomize=True, database=None)(draw)()
warm()
overlays = {OVERLAY: Raster.whole(np.full((9, 9, 4), 99, np.uint8), Geometry(9, 9, Layout.RGBA))}
limits = Limits(1000, 1_000_000)
from stages.decoders import decoded
from stages.decoders.samples import GEOMETRY, SAMPLES
loaded = set(sys.modules)
def refuse(event, arguments):
    if event in ("open", "import", "os.listdir", "subprocess.Popen", "ctypes.dlopen"):
        raise RuntimeError(f"{event} {arguments[:1]}")
sys.addaudithook(refuse)
for format_in, data in SAMPLES.items():
    decoded(data, format_in, GEOMETRY)
for layout in Layout:
    pixels = np.zeros((90, 80, layout.channels), np.uint8)
    pixels[20:40, 30:60] = np.arange(30, dtype=np.uint8)[:, np.newaxis]
    raster = Raster.whole(pixels, Geometry(80, 90, layout))
    for example in examples:
        try:
            example.plan(raster.nominal, limits)
        except FrameError:
            continue
        if not example.is_idle(raster.nominal):
            example.bound(overlays).apply(raster)
print({type(example) for example in examples} == set(OPERATIONS.values()), sorted(set(sys.modules) - loaded))
"""


def test_warm_leaves_nothing_to_load_for_any_operation() -> None:
    """A worker that is shut in can open no file: nothing may be imported when it is first used, for overlays either."""
    done = subprocess.run([sys.executable, "-c", WARM], capture_output=True, text=True, timeout=60, check=False)

    assert (done.stdout, done.stderr) == ("True []\n", "")
