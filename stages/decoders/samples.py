"""Samples: a tiny picture of each format, decoded once before anything can be loaded no more."""

from base64 import b64decode
from typing import Final

from ipc.messages import FormatIn
from ipc.pixels import Geometry, Layout

GEOMETRY: Final = Geometry(2, 2, Layout.RGB)
"""Of all of them."""

SAMPLES: Final[dict[FormatIn, bytes]] = {
    "png": b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGM8kWLEwMDAxMDAwMDAAAARKAFipiAqoAAAAABJRU5ErkJggg=="
    ),
    "webp": b64decode("UklGRi4AAABXRUJQVlA4ICIAAABwAQCdASoCAAIADMDOJaACdAFAAADxhhhME64ElaswgAAA"),
    "avif": b64decode(
        "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAAAAAO"
        "cGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAIQAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAA"
        "AABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAAgAAAAIAAAAQcGl4aQAAAAADCAgIAAAADGF2MUOBAAwAAAAAE2NvbHJuY2x4AAEADQAG"
        "gAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAKW1kYXQSAAoIGAA2iAhoNCAyEx/3h4UV3///4sAAAJA1jbswTRA="
    ),
    "gif": b64decode("R0lGODdhAgACAIEAAMhkMgAAAAAAAAAAACwAAAAAAgACAAAIBgABCAQQEAA7"),
}
"""Made by Pillow out of one colour."""
