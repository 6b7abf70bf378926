"""Metadata that a finished picture carries: nothing, or the little that is kept of its original's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from stages.encoders.profile import profile
from stages.headers.exif import Rights, texts
from stages.headers.exif_block import exif_block
from stages.raster import bytes_at

if TYPE_CHECKING:
    from PIL.Image import Exif

    from ipc.messages import Original
    from ipc.pixels import Layout
    from stages.raster import Ground

_ORIENTATION: Final = 0x0112
_ARTIST: Final = 0x013B
_COPYRIGHT: Final = 0x8298


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is written beside the pixels; nothing by default."""

    orientation: int = 1
    """EXIF orientation, 1 to 8; 1 is upright, and not written."""
    copyright: str = ""
    artist: str = ""
    profile: bytes = b""
    """ICC profile, of the pixels as they are encoded."""

    def options(self) -> dict[str, Any]:
        """As Pillow's writers take it, whatever the format. They may alter it, so each trial gets its own."""
        told: dict[str, Any] = {}
        if exif := self._exif():
            told["exif"] = exif
        if self.profile:
            told["icc_profile"] = self.profile
        return told

    def segments(self) -> bytes:
        """As marker segments of a JPEG: APP1 with EXIF, APP2 with the profile."""
        exif = self._exif()
        return b"".join(
            marker + (2 + len(content)).to_bytes(2, "big") + content
            for marker, content in (
                (b"\xff\xe1", exif.tobytes() if exif else b""),
                (b"\xff\xe2", b"ICC_PROFILE\0\x01\x01" + self.profile if self.profile else b""),
            )
            if content
        )

    def _exif(self) -> Exif:
        """Orientation and rights; false where there are none."""
        from PIL.Image import Exif

        exif = Exif()
        if self.orientation != 1:
            exif[_ORIENTATION] = self.orientation
        # ASCII by the standard, UTF-8 by custom. Of text that is not bytes Pillow would keep no more than ASCII.
        for tag, text in ((_ARTIST, self.artist), (_COPYRIGHT, self.copyright)):
            if text:
                exif[tag] = text.encode()
        return exif


STRIPPED: Final = Metadata()


def kept(original: Original | None, ground: memoryview | Ground, layout: Layout) -> Metadata:
    """What is kept of `original`, for pixels of `layout`, which are sRGB whatever they were there.

    Raises `FrameError` where it is no such file; one that was probed is.
    """
    if original is None:
        return Metadata(profile=profile(layout))
    block = exif_block(bytes_at(ground, original.source), original.format)
    rights = Rights() if block is None else texts(block)
    return Metadata(original.orientation, rights.copyright, rights.artist, profile(layout))
