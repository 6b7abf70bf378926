"""What a command wrote to disk, as another decoder sees it."""

from pathlib import Path

from PIL import Image


def sizes(out: Path) -> dict[str, tuple[int, int]]:
    """Return all pictures below a folder with their sizes."""
    found = {}
    for file in sorted(path for path in out.rglob("*") if path.is_file()):
        with Image.open(file) as picture:
            found[str(file.relative_to(out))] = picture.size
    return found
