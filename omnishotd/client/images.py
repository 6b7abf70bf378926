"""Images on their way to the daemon: from what a caller has to one block of bytes and what the header says of it.

Arrays are read through the buffer protocol, so numpy is not imported here: a caller who has an array has numpy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from omnishotd.client.ring import LentImage

if TYPE_CHECKING:
    import numpy as np

Block: TypeAlias = "bytes | bytearray | memoryview | np.ndarray[Any, np.dtype[np.uint8]]"
"""An encoded image as a row of bytes, or pixels as an array of uint8: HxW, HxWx1, HxWx3 or HxWx4."""

Image: TypeAlias = "Block | LentImage"
"""An image to be sent, or one that lies in lent memory."""

LayoutName: TypeAlias = Literal["GRAY", "RGB", "BGR", "RGBA", "BGRA"]

_CHANNELS: Final[Mapping[str, int]] = {"GRAY": 1, "RGB": 3, "BGR": 3, "RGBA": 4, "BGRA": 4}
_DEFAULT_LAYOUT: Final[Mapping[int, LayoutName]] = {1: "GRAY", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True, slots=True)
class RawInput:
    """Says that a row of bytes is pixels: `height` rows of `width` pixels, 8 bits a channel, without padding."""

    width: int
    height: int
    layout: LayoutName

    def to_map(self) -> dict[str, Any]:
        """Return the map that travels."""
        return {"format": "raw", "width": self.width, "height": self.height, "layout": self.layout}


@dataclass(frozen=True, slots=True)
class Submission:
    """An image as it will be sent."""

    payload: bytes | memoryview
    """One contiguous block."""
    input: dict[str, Any] | None
    """The header's `input`; None for an encoded image."""


def prepare(
    image: Block,
    declared: RawInput | Mapping[str, Any] | None,
    layout: LayoutName | None,
    page: int | None = None,
    *,
    copies: bool,
) -> Submission:
    """Turn an image into what is sent.

    `copies`: take a copy of what the caller could change afterwards; otherwise the bytes are borrowed, where they lie
    in one block. Raises TypeError and ValueError that name the argument.
    """
    view = as_view(image)
    described = say(view.shape or (), declared, layout, page)
    if isinstance(image, bytes):
        return Submission(image, described)
    if copies or not view.c_contiguous:
        # An array's own copy is up to 25 times as fast as a memoryview's where the rows do not lie in one block.
        copied: bytes = getattr(image, "tobytes", view.tobytes)()
        return Submission(copied, described)
    return Submission(view if view.ndim == 1 else view.cast("B"), described)


def as_view(image: Block) -> memoryview:
    """Look at what a caller gave as an image. Raises TypeError and ValueError."""
    try:
        readable: Any = image  # numpy's types declare the buffer protocol from Python 3.12 on only
        view = memoryview(readable)
    except TypeError:
        raise TypeError(f"image: bytes or an array of uint8, not {type(image).__name__}") from None
    if view.itemsize != 1 or view.format not in {"B", "<B", "c"}:
        raise TypeError(f"image: elements must be unsigned bytes (uint8), not of format {view.format!r}")
    if view.nbytes == 0:
        raise ValueError("image: empty")
    return view


def say(
    shape: tuple[int, ...],
    declared: RawInput | Mapping[str, Any] | None,
    layout: LayoutName | None,
    page: int | None,
) -> dict[str, Any] | None:
    """Return the header's `input` of an image of this shape. Raises ValueError."""
    if len(shape) != 1:
        if declared is not None:
            raise ValueError("input: excluded by an array of pixels, whose shape says it all")
        if page is not None:
            raise ValueError("page: belongs to an encoded image; an array has one")
        return describe(shape, layout).to_map()
    if layout is not None:
        raise ValueError("layout: belongs to an array of pixels; for a row of bytes give input=RawInput(...)")
    return _declaration(declared, page)


def _declaration(declared: RawInput | Mapping[str, Any] | None, page: int | None) -> dict[str, Any] | None:
    """Return what is said of a row of bytes."""
    if declared is None:
        return None if page is None else {"page": page}
    if page is not None:
        raise ValueError("page: excluded by input, which says all of it")
    return declared.to_map() if isinstance(declared, RawInput) else dict(declared)


def describe(shape: tuple[int, ...], layout: LayoutName | None) -> RawInput:
    """Say what an array of pixels is. Raises ValueError where it is none that the daemon knows."""
    channels = 1 if len(shape) == 2 else shape[2] if len(shape) == 3 else 0
    if channels not in _DEFAULT_LAYOUT:
        raise ValueError(f"image: an array of shape HxW, HxWx1, HxWx3 or HxWx4 is wanted, not {shape}")
    chosen = layout or _DEFAULT_LAYOUT[channels]
    if chosen not in _CHANNELS:
        raise ValueError(f"layout: one of {', '.join(_CHANNELS)}, not {chosen!r}")
    if _CHANNELS[chosen] != channels:
        raise ValueError(f"layout: {chosen} has {_CHANNELS[chosen]} channels, the array has {channels}")
    return RawInput(width=shape[1], height=shape[0], layout=chosen)
