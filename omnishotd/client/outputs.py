"""What to make of a frame: pictures, each with its operations, its format and the options of that.

Options left out, or None, are not sent: the daemon's defaults apply, and the daemon alone judges the values. A plain
mapping may stand wherever an `Output` may, so that options newer than this client can be used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypedDict, Unpack

from omnishotd.client.operations import Operation
from omnishotd.client.parameters import Color

FormatName: TypeAlias = Literal["jpeg", "png", "webp", "avif", "raw"]


class OutputOptions(TypedDict, total=False):
    """What may be said of a finished picture besides its operations. What its format does not have is refused."""

    format: FormatName
    """Default `jpeg`."""
    quality: int | None
    """1 to 100; JPEG, WebP, AVIF."""
    subsampling: Literal["420", "422", "444"] | None
    """Of the colours; JPEG."""
    progressive: bool | None
    """Whether it appears whole and gets sharper; JPEG."""
    background: Color | None
    """What alpha is laid on, in a format without alpha; JPEG."""
    compression: int | None
    """0, none, to 9, small and slow; PNG."""
    lossless: bool | None
    """Whether every pixel stays what it is; WebP."""
    effort: int | None
    """0, fast, to 10, small and slow; WebP, AVIF."""
    max_bytes: int | None
    """Take the highest quality, not above `quality`, whose result fits; JPEG, WebP, AVIF. The result says which."""
    metadata: Literal["strip", "keep"] | None
    """`keep`: the orientation that is still to be told, copyright, artist and colour profile. Not of raw pixels."""


@dataclass(frozen=True, slots=True, init=False)
class Output:
    """One picture to be made: `Output(AutoOrient(), Resize(300, 300), quality=85)`. No operation: re-encode only.

    Raises TypeError for an option that does not exist.
    """

    operations: tuple[Operation | Mapping[str, Any], ...]
    options: Mapping[str, Any]
    """`OutputOptions` that were given."""

    def __init__(self, *operations: Operation | Mapping[str, Any], **options: Unpack[OutputOptions]) -> None:
        unknown = options.keys() - OutputOptions.__annotations__.keys()
        if unknown:
            raise TypeError(f"{', '.join(sorted(unknown))}: an output has no such option")
        chosen = {name: value for name, value in options.items() if value is not None}
        object.__setattr__(self, "operations", operations)
        object.__setattr__(self, "options", {"format": "jpeg"} | chosen)

    def to_map(self) -> dict[str, Any]:
        """Return the map that travels."""
        return {**self.options, "operations": _steps(self.operations)}


def outputs_to_maps(outputs: Output | Mapping[str, Any] | Sequence[Output | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the protocol's list of outputs; one output alone may stand for a list of one."""
    several = [outputs] if isinstance(outputs, Output | Mapping) else outputs
    return [output.to_map() if isinstance(output, Output) else _plain(output) for output in several]


def _plain(output: Mapping[str, Any]) -> dict[str, Any]:
    steps = _steps(output.get("operations", ()))
    return dict(output) | ({"operations": steps} if steps else {})


def _steps(operations: Sequence[Operation | Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [step.to_map() if isinstance(step, Operation) else dict(step) for step in operations]
