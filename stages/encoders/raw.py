"""Raw: pixels as they are, red first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipc.pixels import Layout

if TYPE_CHECKING:
    from stages.raster import Pixels


def layout_told(layout: Layout) -> Layout:
    """The order of the channels that a reply has for pixels of `layout`."""
    return {Layout.BGR: Layout.RGB, Layout.BGRA: Layout.RGBA}.get(layout, layout)


def encode(pixels: Pixels, layout: Layout) -> bytes:
    """Rows without padding; blue and red change places where they lie the other way round."""
    if layout is Layout.BGR:
        return pixels[..., ::-1].tobytes()
    if layout is Layout.BGRA:
        return pixels[..., [2, 1, 0, 3]].tobytes()
    return pixels.tobytes()
