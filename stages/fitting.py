"""How a picture is fitted to a size: pure geometry, rounded as sharp rounds it.

sharp (`ResolveShrink`, `CalculateCrop`, `CalculateEmbedPosition`): sides are rounded half up and never below 1; a
centred crop rounds its offset up, a centred placement rounds it down.
"""

from dataclasses import dataclass
from typing import Final, Literal

Fit = Literal["cover", "contain", "fill", "inside", "outside"]

Word = Literal[
    "centre",
    "center",
    "top",
    "right top",
    "right",
    "right bottom",
    "bottom",
    "left bottom",
    "left",
    "left top",
    "north",
    "northeast",
    "east",
    "southeast",
    "south",
    "southwest",
    "west",
    "northwest",
]
"""Where to anchor: sharp's positions and gravities."""

Position = Word | tuple[float, float]
"""A word, or a point in shares of the picture's width and height."""

_ANCHORS: Final[dict[str, tuple[float, float]]] = {
    "centre": (0.5, 0.5),
    "center": (0.5, 0.5),
    "top": (0.5, 0),
    "right top": (1, 0),
    "right": (1, 0.5),
    "right bottom": (1, 1),
    "bottom": (0.5, 1),
    "left bottom": (0, 1),
    "left": (0, 0.5),
    "left top": (0, 0),
    "north": (0.5, 0),
    "northeast": (1, 0),
    "east": (1, 0.5),
    "southeast": (1, 1),
    "south": (0.5, 1),
    "southwest": (0, 1),
    "west": (0, 0.5),
    "northwest": (0, 0),
}


@dataclass(frozen=True, slots=True)
class Fitting:
    """The picture, resized to `scaled_*`, is cut to `width` x `height` at `crop_*`, which stands at `left`, `top` of
    a canvas. All in pixels."""

    scaled_width: int
    scaled_height: int
    crop_left: int
    crop_top: int
    width: int
    height: int
    left: int
    top: int
    canvas_width: int
    canvas_height: int


def fit_picture(
    size: tuple[int, int],
    asked: tuple[int | None, int | None],
    fit: Fit,
    position: Position = "centre",
    *,
    without_enlargement: bool = False,
    without_reduction: bool = False,
) -> Fitting:
    """Fit a picture of `size` (width, height) to the size `asked` for, of which one side may be None."""
    across, down = _shrinks(size, asked, fit)
    if without_reduction:
        across, down = min(1.0, across), min(1.0, down)
    if without_enlargement:
        across, down = max(1.0, across), max(1.0, down)
    scaled_width = max(1, int(size[0] * (1.0 / across) + 0.5))
    scaled_height = max(1, int(size[1] * (1.0 / down) + 0.5))
    crop_left, left, width, canvas_width = _place(scaled_width, asked[0], fit, position, 0)
    crop_top, top, height, canvas_height = _place(scaled_height, asked[1], fit, position, 1)
    return Fitting(
        scaled_width, scaled_height, crop_left, crop_top, width, height, left, top, canvas_width, canvas_height
    )


def largest_fit(
    bound: tuple[int, int],
    asked: tuple[int | None, int | None],
    fit: Fit,
    *,
    without_enlargement: bool = False,
    without_reduction: bool = False,
) -> tuple[int, int]:
    """Width and height of the canvas that no picture within `bound` exceeds, each by itself."""
    return (
        _largest(bound[0], asked[0], asked[1], fit, without_enlargement, without_reduction),
        _largest(bound[1], asked[1], asked[0], fit, without_enlargement, without_reduction),
    )


def _largest(
    bound: int, asked: int | None, other: int | None, fit: Fit, without_enlargement: bool, without_reduction: bool
) -> int:
    """Of one axis; `other` is what is asked of the other one."""
    if fit == "cover" and asked is not None and other is not None:
        return asked
    follows = other is not None and (asked is None or fit == "outside") and fit != "fill"
    scaled = max(
        asked or 1,
        bound * other if follows and other is not None else 1,  # the other axis may have but one pixel
        bound if without_reduction or asked is None else 1,
    )
    if without_enlargement:
        scaled = min(scaled, bound)
    return max(scaled, asked or 1) if fit == "contain" else scaled


def _shrinks(size: tuple[int, int], asked: tuple[int | None, int | None], fit: Fit) -> tuple[float, float]:
    """How many source pixels go into one, across and down."""
    width, height = asked
    across = size[0] / width if width else None
    down = size[1] / height if height else None
    if across is None or down is None:
        one = across or down or 1.0
        return (across or 1.0, down or 1.0) if fit == "fill" else (one, one)
    match fit:
        case "fill":
            return across, down
        case "cover" | "outside":
            return min(across, down), min(across, down)
        case "contain" | "inside":
            return max(across, down), max(across, down)


def _place(scaled: int, asked: int | None, fit: Fit, position: Position, axis: int) -> tuple[int, int, int, int]:
    """Of one axis: where the crop begins, where it is placed, how long it is, how long the canvas is."""
    if asked is None or asked == scaled or fit not in ("cover", "contain"):
        return 0, 0, scaled, scaled
    if fit == "cover":
        kept = min(asked, scaled)
        return _crop_offset(scaled, kept, position, axis), 0, kept, kept
    canvas = max(asked, scaled)
    return 0, _canvas_offset(scaled, canvas, position, axis), scaled, canvas


def _crop_offset(scaled: int, kept: int, position: Position, axis: int) -> int:
    if isinstance(position, str):
        share = _ANCHORS[position][axis]
        return (scaled - kept + 1) // 2 if share == 0.5 else int(share) * (scaled - kept)
    # A focal point comes as near to the middle of the crop as the edges allow.
    return min(max(int(position[axis] * scaled - kept / 2 + 0.5), 0), scaled - kept)


def _canvas_offset(scaled: int, canvas: int, position: Position, axis: int) -> int:
    share = _ANCHORS[position][axis] if isinstance(position, str) else position[axis]
    return int(share * (canvas - scaled))
