"""Memory that a producer lends to the daemon, so that frames need not travel through a socket.

A ring of buffers in one segment of shared memory: take one, fill it in place, submit it. For threads and for asyncio.
"""

import asyncio
import operator
import weakref
from pathlib import Path
from typing import Final, Self

from omnishotd.client.errors import CannotLend, RequestTimeout
from omnishotd.client.images import Block, as_view, describe
from omnishotd.client.ring import LentImage, Ring, Shape, stride_bytes
from omnishotd.client.segment import Segment
from omnishotd.client.submission import Submitter

FRAME_BYTES_MAX: Final = 1 << 40
COUNT_MAX: Final = 1024
_UNIX: Final = "ipc://"


class LentMemory:
    """Buffers of one size, lent to the daemon frame by frame. Made by `Client.lend`; may be shared by threads."""

    def __init__(self, submitter: Submitter, frame_bytes: int, count: int) -> None:
        self._submitter = submitter
        self._ring = _ring(submitter.endpoint, frame_bytes, count)
        self._finalizer = weakref.finalize(self, self._ring.close)

    def take(self, shape: int | Shape, timeout_s: float | None = None) -> LentImage:
        """Wait for a free buffer and return it as an image of this shape, to be filled in place.

        `shape`: (height, width) or (height, width, channels) of pixels; a number of bytes for an encoded picture.
        `timeout_s`: default the client's. Raises `RequestTimeout`, `ClientClosed`, `ForkedClient`, ValueError.
        """
        waiting = self._ring.ask(_checked(shape))
        # The client's own thread gives buffers back: it must not wait for one.
        patience_s = 0.0 if self._submitter.is_own_thread else self._submitter.patience_s(timeout_s)
        try:
            return waiting.result(patience_s)
        except TimeoutError:
            raise _none_free(self._ring, patience_s) from None
        finally:
            waiting.cancel()

    def image(self, image: Block, timeout_s: float | None = None) -> LentImage:
        """Wait for a free buffer and copy an image into it: pixels as an array, or an encoded picture."""
        view = as_view(image)
        return _filled(self.take(view.shape or (), timeout_s), image, view)

    def close(self) -> None:
        """Take the segment away as soon as the last frame that is lent has its reply. Does not wait for it."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


class AsyncLentMemory:
    """Buffers of one size, lent to the daemon frame by frame. Made by `AsyncClient.lend`, for its event loop."""

    def __init__(self, submitter: Submitter, frame_bytes: int, count: int) -> None:
        self._submitter = submitter
        self._ring = _ring(submitter.endpoint, frame_bytes, count)
        self._finalizer = weakref.finalize(self, self._ring.close)

    async def take(self, shape: int | Shape, timeout_s: float | None = None) -> LentImage:
        """As `LentMemory.take`."""
        patience_s = self._submitter.patience_s(timeout_s)
        waiting = self._ring.ask(_checked(shape))
        try:
            async with asyncio.timeout(patience_s):
                return await asyncio.wrap_future(waiting)
        except TimeoutError:
            raise _none_free(self._ring, patience_s) from None

    async def image(self, image: Block, timeout_s: float | None = None) -> LentImage:
        """As `LentMemory.image`."""
        view = as_view(image)
        return _filled(await self.take(view.shape or (), timeout_s), image, view)

    def close(self) -> None:
        """As `LentMemory.close`."""
        self._finalizer()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self.close()


def _ring(endpoint: str, frame_bytes: int, count: int) -> Ring:
    """Make the segment and its ring. Raises ValueError and `CannotLend`."""
    frame_bytes, count = operator.index(frame_bytes), operator.index(count)
    if not 1 <= frame_bytes <= FRAME_BYTES_MAX:
        raise ValueError(f"frame_bytes: 1 to {FRAME_BYTES_MAX}, not {frame_bytes}")
    if not 1 <= count <= COUNT_MAX:
        raise ValueError(f"count: 1 to {COUNT_MAX}, not {count}")
    if not endpoint.startswith(_UNIX):
        raise CannotLend(f"{endpoint}: memory is lent to a daemon on the same host, over {_UNIX} only")
    segment = Segment(stride_bytes(frame_bytes) * count, Path(endpoint.removeprefix(_UNIX)))
    return Ring(segment, frame_bytes, count)


def _checked(shape: int | Shape) -> Shape:
    """Return the shape of an image that the daemon can take. Raises TypeError and ValueError."""
    sides = (operator.index(shape),) if not isinstance(shape, tuple) else tuple(map(operator.index, shape))
    if len(sides) != 1:
        describe(sides, None)
    if min(sides) < 1:
        raise ValueError(f"image: sides of at least 1 are wanted, not {sides}")
    return sides


def _filled(target: LentImage, image: Block, view: memoryview) -> LentImage:
    if view.c_contiguous:
        target.view[:] = view if view.ndim == 1 else view.cast("B")
    else:
        target.array[...] = image
    return target


def _none_free(ring: Ring, waited_s: float) -> RequestTimeout:
    return RequestTimeout(f"{ring.count} buffers lent or held (count), none free within {waited_s:g} s")
