"""Formats of finished pictures, and their options, as a request declares them."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, Union

import msgspec
from msgspec import Meta

from ipc.errors import ErrorCode, FrameError
from ipc.pixels import Geometry
from stages.colors import BLACK, Color


class Encoding(msgspec.Struct, frozen=True, tag_field="format", forbid_unknown_fields=True):
    """A format and its options. A subclass has a `tag`, the format's name in requests."""

    side_max: ClassVar[int] = 1 << 31
    """Longest side that the format, or its encoder, can have. `max_side` is usually less."""

    @property
    def format(self) -> str:
        """Name in requests and replies."""
        return str(self.__struct_config__.tag)

    def check(self, geometry: Geometry) -> None:
        """Raise FrameError TOO_LARGE, with the key, for a picture that is too long or too high for the format."""
        side = max(geometry.width, geometry.height)
        if side > self.side_max:
            limit = f"{self.format} has sides of at most {self.side_max} pixels"
            raise FrameError(ErrorCode.TOO_LARGE, f"format: {limit}, the result has {side}")


Quality = Annotated[int, Meta(ge=1, le=100, description="higher is better, and larger")]
Effort = Annotated[int, Meta(ge=0, le=10, description="0, fast, to 10, small and slow")]
BytesMax = Annotated[int, Meta(ge=1, description="take the highest quality, not above `quality`, whose result fits")]
Metadata = Annotated[
    Literal["strip", "keep"],
    Meta(description="`keep`: orientation as far as it is still to be told, copyright, artist, and an sRGB profile"),
]


class JpegEncoding(Encoding, frozen=True, tag="jpeg"):
    """JPEG, baseline or progressive. Alpha is laid on `background`."""

    side_max: ClassVar[int] = 65_500

    quality: Quality = 80
    subsampling: Annotated[Literal["420", "422", "444"], Meta(description="of the colours")] = "420"
    background: Annotated[Color, Meta(description="what alpha is laid on")] = BLACK
    progressive: Annotated[bool, Meta(description="whether it appears whole and gets sharper")] = False
    max_bytes: BytesMax | None = None
    metadata: Metadata = "strip"


class PngEncoding(Encoding, frozen=True, tag="png"):
    """PNG of 8 bits a channel: grey, RGB or RGBA, as the picture is."""

    compression: Annotated[int, Meta(ge=0, le=9, description="0, none, to 9, small and slow")] = 4
    metadata: Metadata = "strip"


class WebpEncoding(Encoding, frozen=True, tag="webp"):
    """WebP, with alpha if the picture has it."""

    side_max: ClassVar[int] = 16_383

    quality: Quality = 80
    lossless: Annotated[bool, Meta(description="whether every pixel stays what it is; excludes `max_bytes`")] = False
    effort: Effort = 4
    max_bytes: BytesMax | None = None
    metadata: Metadata = "strip"

    def __post_init__(self) -> None:
        if self.lossless and self.max_bytes is not None:
            raise ValueError("max_bytes: does not go with lossless, whose size has no quality to follow")


class AvifEncoding(Encoding, frozen=True, tag="avif"):
    """AVIF, 4:2:0, with alpha if the picture has it."""

    side_max: ClassVar[int] = 32_768  # AV1 could have twice as much, but its decoders refuse that

    quality: Quality = 80
    effort: Effort = 2
    max_bytes: BytesMax | None = None
    metadata: Metadata = "strip"


class RawEncoding(Encoding, frozen=True, tag="raw"):
    """Pixels as they are: GRAY, RGB or RGBA, 8 bits, rows without padding."""


_KINDS: Final = (JpegEncoding, PngEncoding, WebpEncoding, AvifEncoding, RawEncoding)
ENCODINGS: Final[Mapping[str, type[Encoding]]] = {str(kind.__struct_config__.tag): kind for kind in _KINDS}
"""By the name in requests."""
FORMATS: Final = tuple(ENCODINGS)
"""Formats that can be asked for."""
OPTIONS: Final = frozenset(name for kind in _KINDS for name in kind.__struct_fields__)
"""Every option, whatever its format."""
UNION: Final[object] = Union[_KINDS]  # noqa: UP007  # for msgspec; a type checker knows them as `Encoding`

DECODER: Final[msgspec.msgpack.Decoder[Any]] = msgspec.msgpack.Decoder(UNION)


def encode_encoding(encoding: Encoding) -> bytes:
    """As it travels to a worker."""
    return msgspec.msgpack.encode(encoding)


def decode_encoding(encoded: bytes) -> Encoding:
    """The reverse."""
    encoding: Encoding = DECODER.decode(encoded)
    return encoding
