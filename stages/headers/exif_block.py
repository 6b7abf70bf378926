"""The EXIF metadata of a file of any format, found and not copied."""

from ipc.messages import FormatIn
from stages.headers import avif, jpeg, png, webp
from stages.headers.header import Part


def exif_block(data: bytes | memoryview, format_in: FormatIn) -> memoryview | None:
    """Return the TIFF block (what follows `Exif` and two zero bytes) for `stages.headers.exif`, if there is one.

    Raises `FrameError` as the probe does; a file that it took raises nothing.
    """
    part: Part | None = None
    match format_in:
        case "jpeg":
            part = jpeg.read_header(data).exif
        case "png":
            part = png.read_header(data).exif
        case "webp":
            part = webp.read_header(data).exif
        case "avif":
            part = avif.read_header(data).exif
        case "gif":
            pass  # it can have none
    return None if part is None else part.of(data)
