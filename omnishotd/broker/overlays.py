"""Overlays: the configuration's pictures that are laid on others, kept to be written beside each frame that names one.

The broker checks their files as it checks a frame's payload: by `stages.probe`, without decoding anything.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ipc.errors import FrameError
from ipc.messages import Extent, FormatIn, Overlay
from ipc.overlay import OverlayUnusable, digest_of, read_overlay
from ipc.pixels import Geometry
from ipc.printable import printable
from ipc.settings import OverlaySettings
from stages.limits import Limits
from stages.probe import probe

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptOverlay:
    """One overlay: its file as it was when the configuration was read."""

    name: str
    data: bytes
    format: FormatIn
    geometry: Geometry
    digest: int

    def at(self, extent: Extent) -> Overlay:
        """Tell a worker of it, once its file lies in `extent`."""
        return Overlay(self.name, extent, self.format, self.geometry, self.digest)


Overlays = Mapping[str, KeptOverlay]
"""By name."""


def load_overlays(settings: Mapping[str, OverlaySettings], limits: Limits, old: Overlays | None = None) -> Overlays:
    """Read those that are not among the `old` ones already.

    `omnishotd serve` has found them all to be usable. One that is not by now is told to the log: the old one of its
    name stays, or frames that name it are refused. A broker that is started again must not fail for it.
    """
    overlays: dict[str, KeptOverlay] = {}
    for name, overlay in settings.items():
        kept = None if old is None else old.get(name)
        if kept is None or kept.digest != int(overlay.digest, 16):
            try:
                kept = _load(name, overlay, limits)
            except (OverlayUnusable, FrameError) as error:
                _tell(name, overlay, str(error), kept)
            except OSError as error:
                _tell(name, overlay, f"cannot be read: {error.strerror}", kept)
        if kept is not None:
            overlays[name] = kept
    return overlays


def _load(name: str, settings: OverlaySettings, limits: Limits) -> KeptOverlay:
    """Read one. Raises `OverlayUnusable`, `FrameError`, OSError."""
    data = read_overlay(Path(settings.file))
    picture = probe(data, limits)
    if picture.format == "raw":  # which no file is; but the type says that a picture can be
        raise OverlayUnusable("is no encoded picture")
    # The file may have changed since the configuration was read: it goes by what it is now.
    return KeptOverlay(name, data, picture.format, picture.geometry, int(digest_of(data), 16))


def _tell(name: str, settings: OverlaySettings, fault: str, kept: KeptOverlay | None) -> None:
    rest = "frames that name it are refused" if kept is None else "the old one stays"
    log.error("overlays.%s.file: %s %s; %s", name, printable(settings.file), printable(fault), rest)
