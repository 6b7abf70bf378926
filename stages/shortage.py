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


def tells_of_shortage(text: str) -> bool:
    """Tell the same of a JPEG library's message, which simplejpeg passes on as a ValueError's."""
    return "nsufficient memory" in text or "emory allocation failure" in text
