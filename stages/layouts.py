"""From one layout to another, where nothing is lost on the way: colours exchanged, grey repeated, alpha made opaque."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipc.pixels import Layout
from stages.raster import room_for, written_into

if TYPE_CHECKING:
    from stages.raster import Pixels


def colored(layout: Layout) -> Layout:
    """The layout of a picture that is to have colours."""
    return Layout.RGB if layout is Layout.GRAY else layout


def without_alpha(layout: Layout) -> Layout:
    """The layout of the same channels but alpha."""
    return {Layout.RGBA: Layout.RGB, Layout.BGRA: Layout.BGR}.get(layout, layout)


def is_reversed(layout: Layout) -> bool:
    """Whether blue comes first."""
    return layout in (Layout.BGR, Layout.BGRA)


def converted(pixels: Pixels, layout: Layout, wanted: Layout, target: Pixels | None = None) -> Pixels:
    """`pixels` of `layout` as `wanted`; in `target` where that has the shape, `pixels` itself where nothing changes.

    ValueError where colour or alpha would be lost: how they go is for the operations to say.
    """
    import cv2

    if wanted is layout:
        return pixels
    if wanted is Layout.GRAY or wanted.channels < layout.channels:
        raise ValueError(f"{layout} cannot become {wanted} without loss")
    height, width, _ = pixels.shape
    result = room_for((height, width, wanted.channels), target)
    return written_into(cv2.cvtColor(pixels, getattr(cv2, f"COLOR_{layout}2{wanted}"), dst=result), result)
