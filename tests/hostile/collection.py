"""All hostile pictures, each under a name of its own."""

from collections.abc import Iterator
from dataclasses import replace

from tests.hostile import avif, containers, gif, jpeg, png, webp
from tests.hostile.picture import Hostile

_KINDS = {
    "jpeg": jpeg.pictures,
    "png": png.pictures,
    "webp": webp.pictures,
    "avif": avif.pictures,
    "gif": gif.pictures,
    "other": containers.pictures,
}


def hostile_pictures() -> Iterator[Hostile]:
    """Make them one after the other: all at a time are more than a hundred megabytes."""
    for kind, pictures in _KINDS.items():
        for picture in pictures():
            yield replace(picture, name=f"{kind}: {picture.name}")
