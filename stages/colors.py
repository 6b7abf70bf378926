"""Colours that a request may name, and what they are in each layout."""

from typing import Annotated, Final

from msgspec import Meta

from ipc.pixels import Layout

Color = Annotated[tuple[Annotated[int, Meta(ge=0, le=255)], ...], Meta(min_length=3, max_length=4)]
"""`[r, g, b]` or `[r, g, b, a]`, 0 to 255."""

BLACK: Final = (0, 0, 0)


def color_in(layout: Layout, color: tuple[int, ...]) -> tuple[int, ...]:
    """Channels of one pixel of `color`. Grey is Rec. 601 luma; a missing alpha is opaque; a surplus one is ignored."""
    red, green, blue = color[:3]
    alpha = color[3] if len(color) == 4 else 255
    match layout:
        case Layout.GRAY:
            return ((299 * red + 587 * green + 114 * blue + 500) // 1000,)
        case Layout.RGB:
            return (red, green, blue)
        case Layout.BGR:
            return (blue, green, red)
        case Layout.RGBA:
            return (red, green, blue, alpha)
        case Layout.BGRA:
            return (blue, green, red, alpha)


def layout_showing(layout: Layout, color: tuple[int, ...]) -> Layout:
    """The layout of a picture in which some of `color` is seen: one that lets through needs alpha."""
    if len(color) < 4 or color[3] == 255:
        return layout
    return Layout.BGRA if layout in (Layout.BGR, Layout.BGRA) else Layout.RGBA
