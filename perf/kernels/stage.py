"""Ours: the functions of `stages/`, on memory of this process alone, planned as the broker plans."""

from collections.abc import Sequence

import numpy as np

from ipc.messages import Decode, Encode, Extent, Overlay, Transform
from ipc.pixels import Geometry, Layout
from perf.kernels.case import Pixels, Work
from stages.chain import compose, scale_allowed
from stages.decode import decode
from stages.encode import encode
from stages.encodings import Encoding, encode_encoding
from stages.limits import Limits
from stages.operation import Operation
from stages.operations import encode_operations
from stages.probe import probe
from stages.scaling import scaled
from stages.transform import transform

LIMITS = Limits(max_side=16_383, max_pixels=50_000_000)
_LAYOUTS = {1: Layout.GRAY, 3: Layout.RGB, 4: Layout.RGBA}


class Memory:
    """An arena of extents, one behind the other."""

    def __init__(self, *sizes_bytes: int) -> None:
        self.extents: list[Extent] = []
        at = 0
        for size_bytes in sizes_bytes:
            self.extents.append(Extent(at, size_bytes))
            at += -(-size_bytes // 64) * 64
        self.view = memoryview(bytearray(at))

    def write(self, index: int, data: bytes) -> None:
        """Put something into an extent."""
        self.view[self.extents[index].offset :][: len(data)] = data

    def read(self, index: int, geometry: Geometry) -> Pixels:
        """Look at the pixels in an extent."""
        data = self.view[self.extents[index].offset :][: geometry.bytes]
        return np.frombuffer(data, np.uint8).reshape(geometry.height, geometry.width, -1)


def transforming(
    pixels: Pixels, operations: Sequence[Operation], *, orientation: int = 1, overlay: bytes | None = None
) -> Work:
    """Apply operations to pixels; all of them can name `overlay`, a picture's file, as "overlay"."""
    height, width, channels = pixels.shape
    source = Geometry(width, height, _LAYOUTS[channels])
    chain = compose(tuple(operations), source, orientation, LIMITS)
    memory = Memory(source.bytes, chain.room_bytes, *([len(overlay)] if overlay else []))
    memory.write(0, pixels.tobytes())
    overlays = []
    if overlay:
        memory.write(2, overlay)
        picture = probe(overlay, LIMITS)
        assert picture.format != "raw"
        overlays = [Overlay("overlay", memory.extents[2], picture.format, picture.geometry, 1)]
    step = Transform(
        memory.extents[0],
        memory.extents[1],
        source,
        chain.source,
        encode_operations(chain.operations),
        chain.result,
        overlays=overlays,
        is_open=chain.is_open,
    )
    return lambda: memory.read(1, transform(step, memory.view, LIMITS))


def decoding(data: bytes) -> Work:
    """Decode a file at its full size."""
    picture = probe(data, LIMITS)
    assert picture.format != "raw"
    memory = Memory(len(data), picture.geometry.bytes)
    memory.write(0, data)
    step = Decode(memory.extents[0], memory.extents[1], picture.format, picture.geometry)

    def work() -> Pixels:
        decode(step, memory.view)
        return memory.read(1, picture.geometry)

    return work


def shrinking(data: bytes, *operations: Operation) -> Work:
    """Decode a file as small as the operations allow, and apply them."""
    picture = probe(data, LIMITS)
    assert picture.format != "raw"
    chain = compose(operations, picture.geometry, picture.orientation, LIMITS)
    denominator = scale_allowed(chain) if picture.format == "jpeg" else 1
    decoded = scaled(picture.geometry, denominator)
    memory = Memory(len(data), decoded.bytes, chain.room_bytes)
    memory.write(0, data)
    source, pixels, target = memory.extents
    first = Decode(source, pixels, picture.format, decoded)
    second = Transform(pixels, target, decoded, picture.geometry, encode_operations(chain.operations), chain.result)

    def work() -> Pixels:
        decode(first, memory.view)
        return memory.read(2, transform(second, memory.view, LIMITS))

    return work


def encoding(pixels: Pixels, wanted: Encoding) -> Work:
    """Encode pixels."""
    height, width, channels = pixels.shape
    geometry = Geometry(width, height, _LAYOUTS[channels])
    memory = Memory(geometry.bytes)
    memory.write(0, pixels.tobytes())
    step = Encode(memory.extents[0], geometry, 0, encode_encoding(wanted))
    return lambda: encode(step, memory.view).data
