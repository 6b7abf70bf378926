"""The operations on a picture, as PROTOCOL.md has them: one class each.

Parameters left at None are not sent: the daemon's defaults apply, and the daemon alone judges the values. A plain
mapping may stand wherever an `Operation` may, so that operations newer than this client can be used.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from omnishotd.client.parameters import Color, Place, given, named


@dataclass(frozen=True, slots=True)
class Operation:
    """One step; each subclass is one operation of the protocol."""

    OP: ClassVar[str]

    def to_map(self) -> dict[str, Any]:
        """Return the map that travels."""
        return {"op": self.OP} | given(self)


# -------------------- size and shape --------------------


@dataclass(frozen=True, slots=True)
class Resize(Operation):
    """Change the size, in pixels; one side may be left out to keep the proportions.

    `position` says what of the picture stays with `cover`, and where it lies with `contain`: a place, a point as shares
    of width and height, or the part with most detail (`entropy`), or most likely looked at (`attention`).
    """

    OP: ClassVar[str] = "resize"

    width: int | None = None
    height: int | None = None
    fit: Literal["cover", "contain", "fill", "inside", "outside"] | None = None
    position: Place | Literal["entropy", "attention"] | tuple[float, float] | None = None
    kernel: Literal["lanczos3", "nearest", "linear", "cubic", "mitchell", "area"] | None = None
    without_enlargement: bool | None = None
    without_reduction: bool | None = None
    background: Color | None = None


@dataclass(frozen=True, slots=True)
class Extract(Operation):
    """Cut out a rectangle, in pixels; it must lie inside the picture."""

    OP: ClassVar[str] = "extract"

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Trim(Operation):
    """Cut off edges that look like `background`, or like the pixel at the top left, but for `threshold`."""

    OP: ClassVar[str] = "trim"

    threshold: float | None = None
    background: Color | None = None


@dataclass(frozen=True, slots=True)
class Extend(Operation):
    """Add so many pixels at each edge: of `background`, or made from the picture as `fill` says.

    `fill` is called `with` in the protocol.
    """

    OP: ClassVar[str] = "extend"

    top: int | None = None
    bottom: int | None = None
    left: int | None = None
    right: int | None = None
    background: Color | None = None
    fill: Literal["copy", "mirror", "repeat"] | None = named("with")


@dataclass(frozen=True, slots=True)
class AutoOrient(Operation):
    """Turn the picture as its EXIF orientation says."""

    OP: ClassVar[str] = "auto_orient"


@dataclass(frozen=True, slots=True)
class Rotate(Operation):
    """Turn clockwise by `angle` degrees; what comes into the picture at its corners is `background`."""

    OP: ClassVar[str] = "rotate"

    angle: float
    background: Color | None = None


@dataclass(frozen=True, slots=True)
class Flip(Operation):
    """Mirror top to bottom."""

    OP: ClassVar[str] = "flip"


@dataclass(frozen=True, slots=True)
class Flop(Operation):
    """Mirror left to right."""

    OP: ClassVar[str] = "flop"


# -------------------- sharpness --------------------


@dataclass(frozen=True, slots=True)
class Blur(Operation):
    """Blur by a Gaussian of `sigma` pixels."""

    OP: ClassVar[str] = "blur"

    sigma: float


@dataclass(frozen=True, slots=True)
class Median(Operation):
    """Take the median of each square of `size` pixels: single pixels that differ go away, edges stay."""

    OP: ClassVar[str] = "median"

    size: int | None = None


@dataclass(frozen=True, slots=True)
class Sharpen(Operation):
    """Add `amount` of what a blur by `sigma` would take away, where that is more than `threshold`."""

    OP: ClassVar[str] = "sharpen"

    sigma: float
    amount: float | None = None
    threshold: float | None = None


# -------------------- tones and colours --------------------


@dataclass(frozen=True, slots=True)
class Gamma(Operation):
    """Brighten the dark tones: `255 * (value / 255) ** (1 / gamma)`."""

    OP: ClassVar[str] = "gamma"

    gamma: float | None = None


@dataclass(frozen=True, slots=True)
class Linear(Operation):
    """Change contrast and brightness: `a * value + b`."""

    OP: ClassVar[str] = "linear"

    a: float | None = None
    b: float | None = None


@dataclass(frozen=True, slots=True)
class Modulate(Operation):
    """Multiply brightness and saturation, turn the hue by degrees, add to the lightness."""

    OP: ClassVar[str] = "modulate"

    brightness: float | None = None
    saturation: float | None = None
    hue: float | None = None
    lightness: float | None = None


@dataclass(frozen=True, slots=True)
class Normalise(Operation):
    """Stretch the tones between two percentiles of lightness to the whole range."""

    OP: ClassVar[str] = "normalise"

    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class Tint(Operation):
    """Keep the lightness alone, and give it the hue of `color`."""

    OP: ClassVar[str] = "tint"

    color: Color


@dataclass(frozen=True, slots=True)
class Negate(Operation):
    """Make a negative of it."""

    OP: ClassVar[str] = "negate"


@dataclass(frozen=True, slots=True)
class Grayscale(Operation):
    """Keep the luma (Rec. 601) alone."""

    OP: ClassVar[str] = "grayscale"


@dataclass(frozen=True, slots=True)
class Threshold(Operation):
    """Make what is at least as bright as `threshold` white, and the rest black."""

    OP: ClassVar[str] = "threshold"

    threshold: int | None = None


# -------------------- layers --------------------


@dataclass(frozen=True, slots=True)
class Flatten(Operation):
    """Lay the picture on `background` and drop its alpha."""

    OP: ClassVar[str] = "flatten"

    background: Color | None = None


@dataclass(frozen=True, slots=True)
class Composite(Operation):
    """Lay a picture of the daemon's configuration, named by `overlay`, on this one.

    It lies at `gravity`, or `left` and `top` pixels from the corner, or everywhere (`tile`). `scale` is its width as a
    share of this picture's, `opacity` goes from 0 to 1.
    """

    OP: ClassVar[str] = "composite"

    overlay: str
    gravity: Place | None = None
    left: int | None = None
    top: int | None = None
    opacity: float | None = None
    tile: bool | None = None
    scale: float | None = None
