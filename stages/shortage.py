"""Shortage: how libraries say that there is no memory left. Each has its own words for it."""

import errno
from typing import Final

_CV2_NO_MEMORY: Final = -4
"""cv::Error::StsNoMem, the `code` of a `cv2.error`."""


def is_shortage(error: Exception) -> bool:
    """Tell whether an exception means that memory was refused."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    # By name: not every worker has loaded cv2.
    return type(error).__name__ == "error" and getattr(error, "code", None) == _CV2_NO_MEMORY


_WORDS: Final = (
    "nsufficient memory",
    "emory allocation failure",
    "ut of memory",
    "could not create JPEG",
    # zlib cannot begin; when reading, a damaged picture can be the reason as well.
    "codec configuration error when writing",
)


def tells_of_shortage(text: str) -> bool:
    """Tell the same of the message of a library below simplejpeg or Pillow, of which these make an error of another."""
    return any(words in text for words in _WORDS)


def check_room(size_bytes: int) -> None:
    """Raise MemoryError where so much cannot be had: for libraries that fail in the same words whatever the reason."""
    import numpy as np

    np.empty(size_bytes, np.uint8)
