"""Stages run as workers run them: on extents of an arena, here an ordinary piece of memory."""

import numpy as np
from numpy.typing import NDArray

from ipc.messages import Decode, Encode, Extent, Transform
from ipc.pixels import Geometry, Layout
from stages.chain import Chain, compose, scale_allowed
from stages.decode import decode
from stages.encode import Finished, encode
from stages.encodings import Encoding, encode_encoding
from stages.limits import Limits
from stages.operation import Operation
from stages.operations import encode_operations
from stages.probe import probe
from stages.scaling import scaled
from stages.transform import transform
from tests.stages.jpegs import LIMITS

Pixels = NDArray[np.uint8]
GUARD = 64
"""Bytes around every extent that no stage may touch."""


class Arena:
    """Extents, one after the other, with untouchable bytes between them."""

    def __init__(self, *sizes: int) -> None:
        self.memory = bytearray(b"\xa5" * (GUARD + sum(size + GUARD for size in sizes)))
        self.view = memoryview(self.memory)
        self.extents: list[Extent] = []
        at = GUARD
        for size in sizes:
            self.extents.append(Extent(at, size))
            at += size + GUARD

    def write(self, index: int, data: bytes) -> None:
        extent = self.extents[index]
        self.view[extent.offset : extent.offset + len(data)] = data

    def read(self, index: int, geometry: Geometry) -> Pixels:
        extent = self.extents[index]
        data = bytes(self.view[extent.offset : extent.offset + geometry.bytes])
        return np.frombuffer(data, np.uint8).reshape(geometry.height, geometry.width, geometry.layout.channels)

    def close(self) -> None:
        """Fails where a view is still held, or a guard was written over."""
        at = 0
        for extent in self.extents:
            assert self.memory[at : extent.offset] == b"\xa5" * (extent.offset - at), "written outside of the extents"
            at = extent.offset + extent.bytes
        assert self.memory[at:] == b"\xa5" * (len(self.memory) - at), "written outside of the extents"
        self.view.release()
        self.memory.append(0)  # BufferError while anything exports the memory


def decoded_by_us(data: bytes, denominator: int = 1, layout: Layout | None = None, page: int = 0) -> Pixels:
    """What the decode stage makes of a picture. Only a JPEG can be scaled."""
    picture = probe(data, LIMITS, page)
    assert picture.format != "raw"
    whole = picture.geometry
    geometry = scaled(Geometry(whole.width, whole.height, layout or whole.layout), denominator)
    arena = Arena(len(data), geometry.bytes)
    arena.write(0, data)
    source, target = arena.extents
    decode(Decode(source, target, picture.format, geometry, page), arena.view)
    result = arena.read(1, geometry)
    arena.close()
    return result


def transformed(
    pixels: Pixels,
    layout: Layout,
    *operations: Operation,
    orientation: int = 1,
    nominal: Geometry | None = None,
    limits: Limits = LIMITS,
) -> Pixels:
    """What the transform stage makes of pixels."""
    source = Geometry(pixels.shape[1], pixels.shape[0], layout)
    chain = compose(operations, nominal or source, orientation, limits)
    arena = Arena(source.bytes, chain.room_bytes)
    arena.write(0, pixels.tobytes())
    near, far = arena.extents
    step = Transform(
        near,
        far,
        source,
        chain.source,
        encode_operations(chain.operations),
        chain.result,
        is_open=chain.is_open,
    )
    made = transform(step, arena.view, limits)
    assert chain.is_open or made == chain.result
    result = arena.read(1, made)
    assert np.array_equal(arena.read(0, source), pixels), "the source was written to"
    arena.close()
    return result


def processed(data: bytes, *operations: Operation) -> Pixels:
    """A JPEG through decode, scaled as far as is allowed, and transform."""
    picture = probe(data, LIMITS)
    chain = chain_of(data, *operations)
    return transformed(
        decoded_by_us(data, scale_allowed(chain)), picture.geometry.layout, *chain.operations, nominal=picture.geometry
    )


def chain_of(data: bytes, *operations: Operation) -> Chain:
    """The chain for a JPEG."""
    picture = probe(data, LIMITS)
    return compose(operations, picture.geometry, picture.orientation, LIMITS)


def encoded(pixels: Pixels, layout: Layout, encoding: Encoding) -> Finished:
    """What the encode stage makes of pixels."""
    geometry = Geometry(pixels.shape[1], pixels.shape[0], layout)
    arena = Arena(geometry.bytes)
    arena.write(0, pixels.tobytes())
    finished = encode(Encode(arena.extents[0], geometry, 3, encode_encoding(encoding)), arena.view)
    arena.close()
    return finished
