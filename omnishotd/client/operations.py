"""What to make of a frame: outputs and the operations on them, as PROTOCOL.md has them.

Parameters left at None are not sent: the daemon's defaults apply, and the daemon alone judges the values. A plain
mapping may stand wherever an `Output` or an `Operation` may, so that options newer than this client can be used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, TypeAlias

Colour: TypeAlias = tuple[int, int, int] | tuple[int, int, int, int]
"""Red, green, blue and perhaps alpha, each 0 to 255."""

Position: TypeAlias = (
    Literal["centre", "top", "right top", "right", "right bottom", "bottom", "left bottom", "left", "left top"]
    | tuple[float, float]
)
"""A place in the picture: a word, or a point as shares of width and height."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step; each subclass is one operation of the protocol."""

    OP: ClassVar[str]

    def to_map(self) -> dict[str, Any]:
        """Return the map that travels."""
        return {"op": self.OP} | _given(self)


@dataclass(frozen=True, slots=True)
class Resize(Operation):
    """Change the size, in pixels; one side may be left out to keep the proportions."""

    OP: ClassVar[str] = "resize"

    width: int | None = None
    height: int | None = None
    fit: Literal["cover", "contain", "fill", "inside", "outside"] | None = None
    position: Position | None = None
    kernel: Literal["lanczos3", "nearest", "linear", "cubic", "mitchell", "area"] | None = None
    without_enlargement: bool | None = None
    without_reduction: bool | None = None
    background: Colour | None = None


@dataclass(frozen=True, slots=True)
class Extract(Operation):
    """Cut out a rectangle, in pixels; it must lie inside the picture."""

    OP: ClassVar[str] = "extract"

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class AutoOrient(Operation):
    """Turn the picture as its EXIF orientation says."""

    OP: ClassVar[str] = "auto_orient"


@dataclass(frozen=True, slots=True)
class Rotate(Operation):
    """Turn clockwise by `angle` degrees."""

    OP: ClassVar[str] = "rotate"

    angle: float
    background: Colour | None = None


@dataclass(frozen=True, slots=True)
class Flip(Operation):
    """Mirror top to bottom."""

    OP: ClassVar[str] = "flip"


@dataclass(frozen=True, slots=True)
class Flop(Operation):
    """Mirror left to right."""

    OP: ClassVar[str] = "flop"


@dataclass(frozen=True, slots=True)
class Grayscale(Operation):
    """Keep the luma (Rec. 601) alone."""

    OP: ClassVar[str] = "grayscale"


@dataclass(frozen=True, slots=True, init=False)
class Output:
    """One picture to be made: `Output(AutoOrient(), Resize(300, 300), quality=85)`. No operation: re-encode only."""

    operations: tuple[Operation | Mapping[str, Any], ...]
    format: str
    quality: int | None
    subsampling: Literal["420", "422", "444"] | None
    background: Colour | None

    def __init__(
        self,
        *operations: Operation | Mapping[str, Any],
        format: str = "jpeg",  # noqa: A002 - the protocol's own word
        quality: int | None = None,
        subsampling: Literal["420", "422", "444"] | None = None,
        background: Colour | None = None,
    ) -> None:
        values = (operations, format, quality, subsampling, background)
        for field, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, field.name, value)

    def to_map(self) -> dict[str, Any]:
        """Return the map that travels."""
        steps = [step.to_map() if isinstance(step, Operation) else dict(step) for step in self.operations]
        return _given(self) | {"operations": steps}


def outputs_to_maps(outputs: Output | Mapping[str, Any] | Sequence[Output | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the protocol's list of outputs; one output alone may stand for a list of one."""
    several = [outputs] if isinstance(outputs, Output | Mapping) else outputs
    return [_output_to_map(output) for output in several]


def _output_to_map(output: Output | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(output, Output):
        return output.to_map()
    steps = output.get("operations", ())
    plain = [step.to_map() if isinstance(step, Operation) else dict(step) for step in steps]
    return dict(output) | ({"operations": plain} if plain else {})


def _given(value: Operation | Output) -> dict[str, Any]:
    return {field.name: got for field in fields(value) if (got := getattr(value, field.name)) is not None}
