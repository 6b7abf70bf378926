"""Overlays: where the files lie that the configuration names, and whether they can be laid on pictures."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ipc.errors import FrameError
from ipc.overlay import OVERLAYS_MAX, OverlayUnusable, digest_of, read_overlay
from ipc.settings import OverlaySettings
from omnishotd.config.layers import Layer
from omnishotd.config.problems import Problem, shown
from omnishotd.config.schema import PRESET_NAME, Configuration, Overlay
from stages.limits import Limits
from stages.probe import probe

PATH_BYTES_MAX = 1024
"""With OVERLAYS_MAX, a small part of the message that carries all settings, see `ipc.channel`."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of reading the files: for the broker those that can be used, for the operator what is wrong."""

    settings: dict[str, OverlaySettings] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def with_overlays_placed(configuration: Configuration, layers: Sequence[Layer]) -> Configuration:
    """Make the paths absolute: in a file they begin at its folder, elsewhere at the current one."""
    placed: dict[str, Overlay] = {}
    for name, overlay in configuration.overlays.items():
        said = next((layer for layer in reversed(layers) if layer.says(("overlays", name, "file"))), None)
        folder = Path() if said is None else said.folder
        placed[name] = Overlay(file=os.path.abspath(folder / overlay.file))  # noqa: PTH100 - as said: links stay links
    return configuration.model_copy(update={"overlays": placed})


def unnameable(overlays: Mapping[str, Overlay]) -> Iterator[Problem]:
    """Yield what is wrong with them before any file is looked at."""
    if len(overlays) > OVERLAYS_MAX:
        yield Problem("overlays", f"has {len(overlays)} entries, must have at most {OVERLAYS_MAX}")
    for name, overlay in overlays.items():
        if not PRESET_NAME.fullmatch(name):
            yield Problem("overlays", f"{shown(name)} must be 1 to 64 letters, digits, dots, hyphens or underscores")
        length = len(overlay.file.encode())
        if length > PATH_BYTES_MAX:
            yield Problem(f"overlays.{name}.file", f"has {length} bytes, must have at most {PATH_BYTES_MAX}")


def examine(overlays: Mapping[str, Overlay], limits: Limits) -> Examined:
    """Read the files and look at them as at a frame: by their headers."""
    examined = Examined()
    for name, overlay in list(overlays.items())[:OVERLAYS_MAX]:
        try:
            data = read_overlay(Path(overlay.file))
            probe(data, limits)
        except OSError as error:
            what = f"{shown(overlay.file)} cannot be read: {error.strerror}"
        except FrameError as error:
            what = f"{shown(overlay.file)} is no picture that is taken: {error.message}"
        except OverlayUnusable as error:
            what = f"{shown(overlay.file)} {error}"
        except ValueError:
            what = f"{shown(overlay.file)} is no path"
        else:
            examined.settings[name] = OverlaySettings(file=overlay.file, digest=digest_of(data))
            continue
        examined.problems.append(Problem(f"overlays.{name}.file", what))
    return examined
