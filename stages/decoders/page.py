"""A page: one frame of a file, decoded by Pillow, on its way to the arena."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Geometry, Layout
from stages.strips import strips

if TYPE_CHECKING:
    from PIL.Image import Image

    from stages.decoders.profile import Kind
    from stages.raster import Pixels

_MODES: Final = {Layout.GRAY: "L", Layout.RGB: "RGB", Layout.RGBA: "RGBA"}


@dataclass(frozen=True, slots=True)
class Page:
    """Pixels of 8 bits a channel."""

    image: Image
    """Of mode 1, L, LA, P, RGB or RGBA; a palette or one colour may be transparent by `info["transparency"]`."""
    kind: Kind = "RGB"
    """Colours that the file has."""
    profile: bytes | None = None
    """ICC."""

    def copy(self, layout: Layout, target: Pixels) -> None:
        """Write the pixels into `target`, in `layout`."""
        import numpy as np

        mode = _MODES[layout]
        for rows in strips(target):
            strip = self.image.crop((0, rows.start, self.image.width, rows.stop))
            if strip.mode != mode:
                strip = strip.convert(mode)
            target[rows] = np.asarray(strip).reshape(target[rows].shape)


def check_size(size: tuple[int, int], geometry: Geometry) -> None:
    """Raise `FrameError` BAD_IMAGE where a decoder sees another size than the plan has."""
    if size != (geometry.width, geometry.height):
        raise FrameError(
            ErrorCode.BAD_IMAGE,
            f"the picture is of {size[0]} x {size[1]} pixels, and its header says {geometry.width} x {geometry.height}",
        )


def check_page(page: int, last: int) -> None:
    """Raise `FrameError` BAD_REQUEST where there is no such page."""
    if page > last:
        raise FrameError(ErrorCode.BAD_REQUEST, f"input.page: {page} is beyond the picture's last, {last}")
