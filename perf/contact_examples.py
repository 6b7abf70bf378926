"""What the contact sheet shows of each operation and format, on one photograph. One without example is named there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from omnishotd.client import (
    AutoOrient,
    Blur,
    Composite,
    Extend,
    Extract,
    Flatten,
    Flip,
    Flop,
    Gamma,
    Grayscale,
    Linear,
    Median,
    Modulate,
    Negate,
    Normalise,
    Operation,
    Output,
    Resize,
    Rotate,
    Sharpen,
    Threshold,
    Tint,
    Trim,
)

FRAME: Final = 256
"""No result is shown larger."""
OVERLAY: Final = "logo"
"""Name of the overlay that the daemon is configured with."""

_CLEAR: Final = (0, 0, 0, 0)
_WHITE: Final = (255, 255, 255)
_SAND: Final = (214, 190, 150)
_BASE: Final = Resize(224, 224)
"""Before each example, so that most results lie in their frame pixel by pixel."""
_FITTED: Final = Resize(FRAME, FRAME, fit="inside", without_enlargement=True)
_LOSSLESS: Final[Mapping[str, Any]] = {"format": "png"}


@dataclass(frozen=True, slots=True)
class Example:
    """One tile. The last of `steps` is its point; those before prepare the picture."""

    steps: tuple[Operation, ...]
    options: Mapping[str, Any] = field(default_factory=lambda: _LOSSLESS)
    is_sideways: bool = False
    """Whether the photograph is as a camera stores one that was held upright: turned, with an EXIF orientation."""

    @property
    def output(self) -> Output:
        """What is asked of the daemon."""
        return Output(_BASE, *self.steps, _FITTED, **self.options)

    @property
    def title(self) -> str:
        """The operation, or what else it shows."""
        if self.options is not _LOSSLESS:
            return str(self.options["format"])
        if self.steps:
            return self.steps[-1].OP
        return "no auto_orient" if self.is_sideways else "original"

    @property
    def parameters(self) -> str:
        """What was given, in a line."""
        given = {key: value for key, value in self.options.items() if key != "format"}
        before = [step.OP for step in self.steps]
        if self.options is _LOSSLESS and self.steps:
            before.pop()
            given = {key: value for key, value in self.steps[-1].to_map().items() if key != "op"}
        words = [f"{key} {_written(value)}" for key, value in given.items()]
        return ", ".join([*words, *([f"after {', '.join(before)}"] if before else [])])


def _written(value: object) -> str:
    return "(" + " ".join(map(str, value)) + ")" if isinstance(value, tuple) else str(value)


_TILTED: Final = Rotate(20, background=_CLEAR)
_BORDERED: Final = Extend(top=30, bottom=30, left=30, right=30, background=_SAND)

EXAMPLES: Final = (
    Example(()),
    Example((Resize(200, 120),)),
    Example((Resize(200, 120, position="top"),)),
    Example((Resize(90, 200, position=(0.75, 0.4)),)),
    Example((Resize(90, 200, position="entropy"),)),
    Example((Resize(90, 200, position="attention"),)),
    Example((Resize(200, 120, fit="contain", background=_SAND),)),
    Example((Resize(200, 120, fit="contain", position="right", background=(214, 190, 150, 80)),)),
    Example((Resize(200, 120, fit="fill"),)),
    Example((Resize(200, 120, fit="inside"),)),
    Example((Resize(200, 120, fit="outside"),)),
    Example((Extract(left=80, top=20, width=56, height=56), Resize(224, kernel="nearest"))),
    Example((Extract(left=80, top=20, width=56, height=56), Resize(224, kernel="linear"))),
    Example((Extract(left=80, top=20, width=56, height=56), Resize(224, kernel="mitchell"))),
    Example((Extract(left=80, top=20, width=56, height=56), Resize(224, kernel="lanczos3"))),
    Example((Extract(left=50, top=10, width=110, height=140),)),
    Example((_BORDERED, Trim())),
    Example((_BORDERED, Trim(threshold=40, background=_SAND))),
    Example((Extend(top=10, bottom=20, left=5, right=25, background=_SAND),)),
    Example((Extend(top=16, bottom=16, left=16, right=16, background=(214, 190, 150, 80)),)),
    Example((Extend(top=16, bottom=16, left=16, right=16, fill="copy"),)),
    Example((Extend(top=16, bottom=16, left=16, right=16, fill="mirror"),)),
    Example((Extend(top=16, bottom=16, left=16, right=16, fill="repeat"),)),
    Example((), is_sideways=True),
    Example((AutoOrient(),), is_sideways=True),
    Example((Rotate(90),)),
    Example((Rotate(15, background=_SAND),)),
    Example((_TILTED,)),
    Example((Flip(),)),
    Example((Flop(),)),
    Example((Blur(1),)),
    Example((Blur(6),)),
    Example((_TILTED, Blur(6))),
    Example((Median(3),)),
    Example((Median(9),)),
    Example((Sharpen(sigma=1),)),
    Example((Sharpen(sigma=2, amount=3, threshold=10),)),
    Example((Gamma(),)),
    Example((Gamma(3),)),
    Example((Linear(a=1.4, b=-40),)),
    Example((Modulate(brightness=1.2),)),
    Example((Modulate(saturation=2),)),
    Example((Modulate(saturation=0.3),)),
    Example((Modulate(hue=120),)),
    Example((Modulate(lightness=20),)),
    Example((Linear(a=0.3, b=90), Normalise())),
    Example((Linear(a=0.3, b=90), Normalise(lower=10, upper=90))),
    Example((Tint((255, 180, 60)),)),
    Example((Tint((60, 140, 255)),)),
    Example((Negate(),)),
    Example((_TILTED, Negate())),
    Example((Grayscale(),)),
    Example((Threshold(),)),
    Example((Threshold(60),)),
    Example((_TILTED, Flatten())),
    Example((_TILTED, Flatten(_WHITE))),
    Example((Composite(OVERLAY),)),
    Example((Composite(OVERLAY, gravity="right bottom", scale=0.3),)),
    Example((Composite(OVERLAY, left=10, top=150, opacity=0.5),)),
    Example((Composite(OVERLAY, tile=True, opacity=0.25, scale=0.25),)),
    Example((_TILTED, Composite(OVERLAY, gravity="top"))),
    Example((), {"format": "jpeg"}),
    Example((), {"format": "jpeg", "quality": 10}),
    Example((), {"format": "jpeg", "quality": 10, "subsampling": "444", "progressive": True}),
    Example((), {"format": "jpeg", "max_bytes": 5000}),
    Example((_TILTED,), {"format": "jpeg", "background": _SAND}),
    Example((), {"format": "webp", "quality": 10}),
    Example((_TILTED,), {"format": "webp", "lossless": True}),
    Example((), {"format": "avif", "quality": 10}),
    Example((_TILTED,), {"format": "avif", "max_bytes": 4000}),
    Example((), {"format": "png", "compression": 9}),
    Example((), {"format": "raw"}),
)
