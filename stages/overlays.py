"""Overlays: pictures of the configuration, decoded once a worker, and resized once for each size that is seen."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from ipc.errors import FrameError
from ipc.pixels import Geometry, Layout
from stages.layouts import converted
from stages.raster import Box, Raster, bytes_at
from stages.resample import resample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ipc.messages import Overlay
    from stages.raster import Ground

_DECODED_BYTES_MAX: Final = 32 << 20
_SEEN_BYTES_MAX: Final = 16 << 20
_KEPT_MAX: Final = 64
"""Pictures of each kind."""

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class View:
    """A picture in the size `width` x `height`, of which `seen_width` x `seen_height` pixels at `left`, `top` are
    seen."""

    width: int
    height: int
    left: int
    top: int
    seen_width: int
    seen_height: int


@dataclass(frozen=True, slots=True)
class Decoded(Raster):
    """A picture that is told from others by the `digest` of its file."""

    digest: int


class Shelf(Generic[Key]):
    """Pictures that were used lately: no more than `_KEPT_MAX`, and `bytes_max` in all. A larger one is not kept."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: OrderedDict[Key, Raster] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes(self) -> int:
        """What all of them take."""
        return self._bytes

    def find(self, key: Key, make: Callable[[], Raster]) -> Raster:
        """The picture under `key`; it is made where it is not there."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        made = make()
        if made.nominal.bytes <= self._bytes_max:
            self._kept[key] = made
            self._bytes += made.nominal.bytes
            while self._bytes > self._bytes_max or len(self._kept) > _KEPT_MAX:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= oldest.nominal.bytes
        return made


_DECODED: Final[Shelf[int]] = Shelf(_DECODED_BYTES_MAX)
_SEEN: Final[Shelf[tuple[int, View, Layout]]] = Shelf(_SEEN_BYTES_MAX)


def decoded_overlays(overlays: Iterable[Overlay], ground: memoryview | Ground) -> Mapping[str, Raster]:
    """By name, decoded. FrameError, naming the overlay, where one cannot be."""
    return {overlay.name: _decoded(overlay, ground) for overlay in overlays}


def seen(overlay: Raster, view: View, layout: Layout) -> Raster:
    """The part of `overlay` that is seen, in a `layout` with alpha. Not to be written to."""
    if not isinstance(overlay, Decoded):
        return _seen(overlay, view, layout)
    return _SEEN.find((overlay.digest, view, layout), lambda: _seen(overlay, view, layout))


def _decoded(overlay: Overlay, ground: memoryview | Ground) -> Raster:
    from stages import decoders  # not by the broker, which reads the declarations of operations

    def decode() -> Raster:
        try:
            pixels = decoders.decoded(bytes_at(ground, overlay.source), overlay.format, overlay.geometry)
        except FrameError as error:
            raise FrameError(error.code, f"overlay {overlay.name}: {error.message}") from None
        pixels.flags.writeable = False
        whole = Raster.whole(pixels, overlay.geometry)
        return Decoded(whole.pixels, whole.nominal, whole.box, overlay.digest)

    return _DECODED.find(overlay.digest, decode)


def _seen(overlay: Raster, view: View, layout: Layout) -> Raster:
    """Resampled where the size is not its own; only what is seen is computed."""
    import numpy as np

    across, down = overlay.box.width / view.width, overlay.box.height / view.height
    part = Box(view.left * across, view.top * down, view.seen_width * across, view.seen_height * down)
    pixels = resample(overlay.pixels, part, view.seen_width, view.seen_height, "lanczos3")
    result = np.ascontiguousarray(converted(pixels, overlay.nominal.layout, layout))
    return Raster.whole(result, Geometry(view.seen_width, view.seen_height, layout))
