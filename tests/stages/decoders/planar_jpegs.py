"""JPEGs whose components are coded one after the other, by which any sampling can be had, of real pictures."""

import io
import struct
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tests.stages.jpegs import segment

Factors = tuple[int, int]
"""How fine a component is sampled, across and down, beside the others."""


def planar_jpeg(image: Image.Image, samplings: Sequence[Factors], adobe: int | None = None) -> bytes:
    """Each band of `image`, which is in the file's own colours, shrunk as its factors say. `adobe`: that transform."""
    most = max(across for across, _ in samplings), max(down for _, down in samplings)
    planes = [_plane(band, sampling, most) for band, sampling in zip(image.split(), samplings, strict=True)]
    body = struct.pack(">BHHB", 8, image.height, image.width, len(planes))
    body += b"".join(bytes((number, across << 4 | down, 0)) for number, (across, down) in enumerate(samplings, 1))
    parts = [b"\xff\xd8"]
    if adobe is not None:
        parts.append(segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, adobe)))
    parts += [planes[0][0], segment(0xC0, body)]
    for number, (_, codes) in enumerate(planes, 1):
        parts.append(segment(0xDA, bytes((1, number, 0, 0, 63, 0))) + codes)
    return b"".join((*parts, b"\xff\xd9"))


def _plane(band: Image.Image, sampling: Factors, most: Factors) -> tuple[bytes, bytes]:
    """Tables and entropy-coded data of one component, out of a grey JPEG of its size."""
    size = -(-band.width * sampling[0] // most[0]), -(-band.height * sampling[1] // most[1])
    stream = io.BytesIO()
    Image.fromarray(np.asarray(band.resize(size, Image.Resampling.BOX))).save(stream, "JPEG", quality=92)
    data = stream.getvalue()
    tables = (
        data[data.index(b"\xff\xdb") : data.index(b"\xff\xc0")]
        + data[data.index(b"\xff\xc4") : data.index(b"\xff\xda")]
    )
    return tables, data[data.index(b"\xff\xda") + 10 : -2]
