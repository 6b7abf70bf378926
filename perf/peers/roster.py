"""Roster: everybody else, by name."""

from typing import Final

from perf.contender import Entrant
from perf.peers.gstreamer import Gstreamer
from perf.peers.libvips import Libvips
from perf.peers.pillow import Pillow
from perf.peers.sharp import Sharp
from perf.peers.thumbor import Thumbor

SHARP_PLAIN: Final = Sharp(
    "sharp-plain",
    {},
    "as it comes: one process, four threads, cache, Huffman tables made for each picture; over TCP",
    is_tcp=True,
)
"""As most people have it. Its files are a few per cent smaller, for which it takes up to twice the time."""

PEERS: Final[tuple[Entrant, ...]] = (Sharp(), SHARP_PLAIN, Libvips(), Gstreamer(), Pillow(), Thumbor())
