"""GStreamer: pipelines in bare processes."""

import contextlib
import functools
import math
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from perf.child import Child
from perf.contender import Contender, Facts, NotInstalled
from perf.peers.loops import Loops
from perf.work import Work

CORES: Final = len(os.sched_getaffinity(0))
PACKAGES: Final = (
    "python3-gi",
    "gir1.2-gstreamer-1.0",
    "gir1.2-gst-plugins-base-1.0",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
)
LOOK_WITHIN_S: Final = 20.0

_ELEMENTS: Final = ("appsrc", "appsink", "jpegdec", "videocrop", "videoscale", "videoconvert", "jpegenc")
_LOOK: Final = f"""
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp
Gst.init(None)
missing = [name for name in {_ELEMENTS} if Gst.ElementFactory.find(name) is None]
print("without " + ", ".join(missing) if missing else Gst.version_string())
"""


class Gstreamer:
    """`appsrc ! jpegdec ! videoscale ! jpegenc ! appsink`, one picture after the other through one pipeline."""

    name = "gstreamer"

    def __init__(self, interpreters: tuple[str, ...] = ("/usr/bin/python3",)) -> None:
        self._interpreters = interpreters

    def facts(self) -> Facts:
        """Look for it with the interpreter that it is made for."""
        interpreter, version = self._found()
        settings = (
            "a pipeline a core that stays open, the same buffer sent each time; lanczos (its default, two pixels wide, "
            f"leaves most of a large picture out), fast DCT as is its default; by {interpreter}"
        )
        less = "no requests, no messages, no isolation; Y'CbCr is scaled as it is decoded, never full colour; fast DCT"
        return Facts(version, settings, less)

    @contextlib.contextmanager
    def start(self, files: Mapping[Work, Path]) -> Iterator[Contender]:
        """Start the processes."""
        interpreter, _ = self._found()
        with contextlib.ExitStack() as stack:
            children = [
                stack.enter_context(Child("perf.peers.gstreamer_loop", interpreter=interpreter)) for _ in range(CORES)
            ]
            yield Loops(children, files, "gstreamer")

    def time_start(self) -> float:
        """It serves nobody."""
        return math.nan

    def _found(self) -> tuple[str, str]:
        """Return an interpreter that has it, and its version. Raises `NotInstalled`."""
        for interpreter in self._interpreters:
            if (version := _version(interpreter)) is not None:
                return interpreter, version
        raise NotInstalled(f"GStreamer is not installed: apt-get install --no-install-recommends {' '.join(PACKAGES)}")


@functools.cache
def _version(interpreter: str) -> str | None:
    if shutil.which(interpreter) is None:
        return None
    try:
        looked = subprocess.run(
            [interpreter, "-c", _LOOK], check=False, capture_output=True, text=True, timeout=LOOK_WITHIN_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = looked.stdout.strip()
    return version if looked.returncode == 0 and version.startswith("GStreamer ") else None
